/// The probability mass of a row of logits, by how far below the largest logit it lies.
///
///     band(logit) = floor(32 * scale * (maximum - logit)),  mass(logit) = exp(scale * (logit - maximum))
///
/// The last band takes all that is less likely than `exp(-32)` times the likeliest.
struct LikelihoodBands: ~Copyable {
  private static let perUnit: Float = 32
  private static let count = 1024

  private let masses: UnsafeMutablePointer<Double>
  private var maximum: Float = 0
  private var scale: Float = 1
  /// The mass of all tokens.
  private(set) var total = 0.0

  init() {
    masses = .allocate(capacity: Self.count)
    masses.initialize(repeating: 0, count: Self.count)
  }

  deinit { masses.deallocate() }

  @inline(__always)
  func band(of logit: Float) -> Int {
    let distance = (maximum - logit) * scale * Self.perUnit
    return distance < Float(Self.count - 1) ? Int(distance) : Self.count - 1
  }

  /// No logit of `band` or a likelier one is smaller.
  func lowerBound(of band: Int) -> Float {
    band >= Self.count - 1 ? -.infinity : (maximum - Float(band + 2) / (scale * Self.perUnit)).nextDown
  }

  /// Sums up a row.
  ///
  /// - Parameter beyond: the mass of tokens that are not in the row.
  mutating func sum(
    _ logits: UnsafeBufferPointer<Float>, maximum: Float, scale: Float, beyond: Double = 0
  ) {
    self.maximum = maximum
    self.scale = scale
    masses.update(repeating: 0, count: Self.count)
    typealias Lanes = LogitScan.Lanes
    let base = UnsafeRawPointer(logits.baseAddress!)
    let whole = logits.count / Lanes.scalarCount * Lanes.scalarCount
    withUnsafeTemporaryAllocation(of: Lanes.self, capacity: 1) { block in
      let block = UnsafeMutableRawPointer(block.baseAddress!)
      for first in stride(from: 0, to: whole, by: Lanes.scalarCount) {
        let lanes = base.loadUnaligned(fromByteOffset: first &* 4, as: Lanes.self)
        let exponents = (lanes - Lanes(repeating: maximum)) * Lanes(repeating: scale)
        block.storeBytes(of: LogitScan.exponential(exponents), as: Lanes.self)
        for lane in 0..<Lanes.scalarCount {
          masses[band(of: logits[first &+ lane])] += Double(
            block.load(fromByteOffset: lane &* 4, as: Float.self))
        }
      }
    }
    for index in whole..<logits.count {
      let logit = logits[index]
      masses[band(of: logit)] += Double(LogitScan.exponential(Lanes(repeating: (logit - maximum) * scale))[0])
    }
    total = beyond
    for band in 0..<Self.count { total += masses[band] }
  }

  /// The band with which the bands from the likeliest on reach `target`, and the mass of those before it.
  func border(_ target: Double) -> (band: Int, before: Double) {
    var before = 0.0
    for band in 0..<(Self.count - 1) {
      if before + masses[band] >= target { return (band, before) }
      before += masses[band]
    }
    return (Self.count - 1, before)
  }
}
