/// Passes over a row of logits, sixteen at a time.
enum LogitScan {
  typealias Lanes = SIMD16<Float>

  /// The largest logit.
  ///
  /// - Returns: NaN when any logit is.
  static func maximum(_ logits: UnsafeBufferPointer<Float>) -> Float {
    let base = UnsafeRawPointer(logits.baseAddress!)
    let blocks = logits.count / Lanes.scalarCount
    var largest = Lanes(repeating: -.infinity)
    var isNumber = SIMDMask<SIMD16<Int32>>(repeating: true)
    for block in 0..<blocks {
      let lanes = base.loadUnaligned(fromByteOffset: block &* MemoryLayout<Lanes>.size, as: Lanes.self)
      largest.replace(with: lanes, where: lanes .> largest)
      isNumber = isNumber .& (lanes .== lanes)
    }
    guard all(isNumber) else { return .nan }
    var result = largest.max()
    for index in (blocks &* Lanes.scalarCount)..<logits.count {
      if logits[index].isNaN { return .nan }
      result = max(result, logits[index])
    }
    return result
  }

  /// The first token with a logit that is among them.
  static func first(_ logit: Float, in logits: UnsafeBufferPointer<Float>) -> Int {
    let base = UnsafeRawPointer(logits.baseAddress!)
    var index = 0
    while index &+ Lanes.scalarCount <= logits.count {
      let lanes = base.loadUnaligned(fromByteOffset: index &* 4, as: Lanes.self)
      if any(lanes .== Lanes(repeating: logit)) { break }
      index &+= Lanes.scalarCount
    }
    while logits[index] != logit { index &+= 1 }
    return index
  }

  /// Calls `body` for every logit that is at least `threshold` then; it returns the threshold from there on.
  @inline(__always)
  static func forEach(
    _ logits: UnsafeBufferPointer<Float>, from initial: Float, _ body: (_ token: Int, _ logit: Float) -> Float
  ) {
    let base = UnsafeRawPointer(logits.baseAddress!)
    let blocks = logits.count / Lanes.scalarCount
    var threshold = initial
    for block in 0..<blocks {
      let lanes = base.loadUnaligned(fromByteOffset: block &* MemoryLayout<Lanes>.size, as: Lanes.self)
      guard any(lanes .>= Lanes(repeating: threshold)) else { continue }
      let first = block &* Lanes.scalarCount
      for token in first..<(first &+ Lanes.scalarCount) where logits[token] >= threshold {
        threshold = body(token, logits[token])
      }
    }
    for token in (blocks &* Lanes.scalarCount)..<logits.count where logits[token] >= threshold {
      threshold = body(token, logits[token])
    }
  }

  /// `exp(x)` for `x <= 0`; below -87 it is 0.
  ///
  ///     exp(x) = 2^n * exp(r),  n = round(x / ln 2),  |r| <= ln 2 / 2
  ///
  /// `exp(r)` by its Taylor polynomial of degree 7: relative error below 3e-8 there before rounding.
  static func exponential(_ x: Lanes) -> Lanes {
    let clamped = x.replacing(with: Lanes(repeating: -87), where: x .< Lanes(repeating: -87))
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    let magic = Lanes(repeating: 12_582_912)
    let shifted = clamped * Lanes(repeating: 1.442695) + magic
    let n = shifted - magic
    let r = (clamped - n * Lanes(repeating: 0.693359375)) + n * Lanes(repeating: 2.1219444e-4)
    var p = r * Lanes(repeating: 1.0 / 5040) + Lanes(repeating: 1.0 / 720)
    p = p * r + Lanes(repeating: 1.0 / 120)
    p = p * r + Lanes(repeating: 1.0 / 24)
    p = p * r + Lanes(repeating: 1.0 / 6)
    p = p * r + Lanes(repeating: 0.5)
    p = p * r + Lanes(repeating: 1)
    p = p * r + Lanes(repeating: 1)
    let bits = unsafeBitCast(shifted, to: SIMD16<UInt32>.self)
    let power = unsafeBitCast((bits &+ SIMD16(repeating: 127)) &<< SIMD16(repeating: 23), to: Lanes.self)
    return (p * power).replacing(with: Lanes(), where: x .< Lanes(repeating: -87))
  }
}
