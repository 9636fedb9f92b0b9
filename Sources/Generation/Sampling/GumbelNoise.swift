#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Gumbel noise as a pure function of seed, position and token.
///
/// A token drawn as `argmax(logit / temperature + noise)` has its softmax probability. Because the noise is a hash
/// and no stream of random numbers, drawing a position again - after a rejected draft, in another order, from a
/// subset of the tokens - sees the same noise.
///
///     h = mix(mix(seed + g * (position + 1)) + g * (token + 1))       g = 0x9E3779B97F4A7C15, modulo 2^64
///     v = ((h >> 11) + 1/2) / 2^53                                    uniform in (0, 1)
///     noise = -log(-log(1 - v))
///
/// - Source: `mix` and `g` are those of SplitMix64 (Steele, Lea and Flood 2014).
struct GumbelNoise {
  private static let gamma: UInt64 = 0x9E37_79B9_7F4A_7C15

  private let key: UInt64

  init(seed: UInt64, position: Int) {
    key = Self.mix(seed &+ Self.gamma &* (UInt64(truncatingIfNeeded: position) &+ 1))
  }

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  @inline(__always)
  func hash(_ token: Int) -> UInt64 {
    Self.mix(key &+ Self.gamma &* (UInt64(truncatingIfNeeded: token) &+ 1))
  }

  /// The noise that belongs to a hash.
  static func noise(of hash: UInt64) -> Double {
    let v = (Double(hash >> 11) + 0.5) * 0x1p-53
    return -log(-log1p(-v))
  }

  /// Not less than the noise of a hash, without a logarithm.
  ///
  /// `-log(1 - v) >= v`, and `v >= 2^-(z + 1)` when the hash has `z` leading zeros.
  @inline(__always)
  static func bound(of hash: UInt64) -> Double { Double(hash.leadingZeroBitCount &+ 1) * 0.6931471805599454 }

  /// The largest noise there is: the bound for v = 2^-54.
  static let maximum = 54 * 0.6931471805599454

  func callAsFunction(_ token: Int) -> Double { Self.noise(of: hash(token)) }
}
