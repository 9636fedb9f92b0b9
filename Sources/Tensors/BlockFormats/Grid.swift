/// Multiples of a scale: numbers d q with whole q in -limit..<limit.
struct SymmetricGrid {
  let limit: Int

  /// The scale of a grid that holds all numbers within `tolerance` times their largest magnitude.
  ///
  /// 1. The number m of largest magnitude is d k for some k; the others must be multiples of m / k. k is
  ///    tried from `limit` (which only m < 0 or d < 0 can have) down. Most k below limit / 2 have a multiple
  ///    above it; only where that finds nothing, as d is subnormal in f16 or the grid too short at one end,
  ///    they are tried too.
  /// 2. Of the scales that fit, rounded to f16, the one with the least error is taken; a perfect one at once.
  func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> Float16? {
    guard Grid.areFinite(w, count) else { return nil }
    let extreme = extreme(w, count)
    if extreme == 0 { return 0 }
    let bound = tolerance * extreme.magnitude
    var best: (scale: Float16, error: Float)?
    for k in stride(from: limit, to: 0, by: -1) {
      if k < limit / 2, best != nil { break }
      let scale = k == limit ? -extreme / Float(limit) : extreme.magnitude / Float(k)
      guard holds(w, count, scale, bound) else { continue }
      let rounded = Float16(scale)
      guard let error = error(w, count, Float(rounded)), error <= bound else { continue }
      if error < best?.error ?? .infinity { best = (rounded, error) }
      if error <= 0x1p-20 * extreme.magnitude { break }
    }
    return best?.scale
  }

  /// Of the scales that put the largest magnitude at either end of the grid, the one with the lesser squared
  /// error.
  func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> Float16 {
    let extreme = extreme(w, count)
    let scales = [extreme.magnitude / Float(limit - 1), -extreme / Float(limit)].map { scale in
      Float16(
        min(max(scale, -Float(Float16.greatestFiniteMagnitude)), Float(Float16.greatestFiniteMagnitude)))
    }
    func squaredError(_ scale: Float16) -> Float {
      let scale = Float(scale)
      var sum: Float = 0
      for i in 0..<count {
        let error = scale * quant(w[i], scale) - w[i]
        sum += error * error
      }
      return sum
    }
    return squaredError(scales[1]) < squaredError(scales[0]) ? scales[1] : scales[0]
  }

  /// The nearest codes of numbers: whole numbers of scales, plus `offset`.
  func encode(
    _ w: UnsafePointer<Float>, _ count: Int, _ scale: Float16, offset: UInt8,
    into codes: UnsafeMutablePointer<UInt8>
  ) {
    let scale = Float(scale)
    for i in 0..<count { codes[i] = Grid.byte(quant(w[i], scale)) &+ offset }
  }

  func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float16, offset: UInt8,
    into w: UnsafeMutablePointer<Float>
  ) {
    let scale = Float(scale)
    for i in 0..<count { w[i] = scale * Float(Int8(bitPattern: codes[i] &- offset)) }
  }

  @inline(__always)
  private func quant(_ w: Float, _ scale: Float) -> Float {
    scale == 0 ? 0 : Grid.rounded(min(max(w / scale, -Float(limit)), Float(limit - 1)))
  }

  private func extreme(_ w: UnsafePointer<Float>, _ count: Int) -> Float {
    var extreme: Float = 0
    for i in 0..<count where w[i].magnitude > extreme.magnitude { extreme = w[i] }
    return extreme
  }

  /// Whether all numbers lie within `bound` of multiples of `scale` that the grid has.
  private func holds(_ w: UnsafePointer<Float>, _ count: Int, _ scale: Float, _ bound: Float) -> Bool {
    let (inverse, most) = (1 / scale, bound / scale.magnitude)
    guard inverse.isFinite else { return false }
    for i in 0..<count {
      let quotient = w[i] * inverse
      let q = Grid.rounded(quotient)
      if !((quotient - q).magnitude <= most) || q > Float(limit - 1) { return false }
    }
    return true
  }

  /// The largest error of numbers as multiples of a scale; nil when the grid is too short.
  private func error(_ w: UnsafePointer<Float>, _ count: Int, _ scale: Float) -> Float? {
    if scale == 0 || !scale.isFinite { return nil }
    var error: Float = 0
    for i in 0..<count {
      let q = Grid.rounded(Grid.clamped(w[i] / scale))
      if q < -Float(limit) || q > Float(limit - 1) { return nil }
      error = max(error, (q * scale - w[i]).magnitude)
    }
    return error
  }
}

/// Multiples of a scale, moved: numbers d q - m with whole q in 0...15.
struct OffsetGrid {
  static let largest = 15

  /// The scale and minimum of a grid that holds all numbers within `tolerance` times their largest magnitude.
  ///
  /// 1. The extreme of larger magnitude is put at q = 0, the other one at q = K, so d < 0 when the former is
  ///    positive; K is tried from 15 down. A smaller one has a multiple in 8...15: where these find nothing,
  ///    d is subnormal in f16.
  /// 2. Once d is rounded to f16, the minimum that halves the remaining errors is rounded too. Of what fits,
  ///    the one with the least error is taken; a perfect one at once.
  static func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> BlockParameters? {
    guard Grid.areFinite(w, count) else { return nil }
    let (start, end) = ends(w, count)
    let bound = tolerance * start.magnitude
    var best: (parameters: BlockParameters, error: Float)?
    for k in stride(from: largest, to: 0, by: -1) {
      if k < largest / 2, best != nil { break }
      let scale = (end - start) / Float(k)
      guard scale == 0 || holds(w, count, start, scale, bound) else { continue }
      let (parameters, error) = rounded(w, count, start, Float16(scale))
      if error <= bound, error < best?.error ?? .infinity { best = (parameters, error) }
      if error <= 0x1p-20 * start.magnitude { break }
    }
    return best?.parameters
  }

  /// The grid from one extreme to the other.
  static func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> BlockParameters {
    let (start, end) = ends(w, count)
    return rounded(w, count, start, Float16((end - start) / Float(largest))).parameters
  }

  /// The nearest codes of numbers.
  static func encode(
    _ w: UnsafePointer<Float>, _ count: Int, _ p: BlockParameters, into codes: UnsafeMutablePointer<UInt8>
  ) {
    let (scale, minimum) = (Float(p.first), Float(p.second))
    for i in 0..<count {
      let quotient = scale == 0 ? 0 : (w[i] + minimum) / scale
      codes[i] = Grid.byte(Grid.rounded(min(max(quotient, 0), Float(largest))))
    }
  }

  /// The extremes, that of larger magnitude first.
  private static func ends(_ w: UnsafePointer<Float>, _ count: Int) -> (Float, Float) {
    var (low, high) = (w[0], w[0])
    for i in 1..<count { (low, high) = (min(low, w[i]), max(high, w[i])) }
    return low.magnitude >= high.magnitude ? (low, high) : (high, low)
  }

  private static func holds(
    _ w: UnsafePointer<Float>, _ count: Int, _ start: Float, _ scale: Float, _ bound: Float
  ) -> Bool {
    let (inverse, most) = (1 / scale, bound / scale.magnitude)
    guard inverse.isFinite else { return false }
    for i in 0..<count {
      let quotient = (w[i] - start) * inverse
      if !((quotient - Grid.rounded(quotient)).magnitude <= most) { return false }
    }
    return true
  }

  /// The minimum that goes with a scale, and the largest error of numbers that have their codes by `start`.
  private static func rounded(
    _ w: UnsafePointer<Float>, _ count: Int, _ start: Float, _ scale: Float16
  ) -> (parameters: BlockParameters, error: Float) {
    func remainder(_ i: Int) -> Float {
      guard scale != 0 else { return w[i] }
      let q = Grid.rounded(Grid.clamped((w[i] - start) / Float(scale)))
      return w[i] - min(max(q, 0), Float(largest)) * Float(scale)
    }
    var (low, high) = (remainder(0), remainder(0))
    for i in 1..<count { (low, high) = (min(low, remainder(i)), max(high, remainder(i))) }
    let minimum = Float16(-(low / 2 + high / 2))
    let error = max((low + Float(minimum)).magnitude, (high + Float(minimum)).magnitude)
    return (BlockParameters(first: scale, second: minimum), error)
  }
}

enum Grid {
  static func areFinite(_ w: UnsafePointer<Float>, _ count: Int) -> Bool {
    var exponents: UInt32 = 0
    for i in 0..<count { exponents |= (w[i].bitPattern & 0x7f80_0000) &+ 0x80_0000 }
    return exponents & 0x8000_0000 == 0
  }

  /// To the nearest whole number, ties to even, for |x| < 2^22. `rounded()` is a call without SSE4.
  @inline(__always)
  static func rounded(_ x: Float) -> Float { (x + 0x1.8p23) - 0x1.8p23 }

  /// The low bits of a whole number in two's complement, for |x| < 2^22.
  @inline(__always)
  static func byte(_ x: Float) -> UInt8 { UInt8(truncatingIfNeeded: (x + 0x1.8p23).bitPattern) }

  /// Within what ``rounded(_:)`` takes and every grid.
  @inline(__always)
  static func clamped(_ x: Float) -> Float { min(max(x, -1024), 1024) }
}
