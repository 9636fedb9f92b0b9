import Tensors

/// Numbers in (-1, 1) that look random and are the same in every run: what graphs are probed with.
enum ProbeNoise {
  static func values(_ count: Int, seed: UInt64) -> [Float] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
      // SplitMix64 (Steele, Lea and Flood 2014).
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return Float(Int64(bitPattern: z ^ (z >> 31)) >> 40) * 0x1p-23
    }
  }

  static func tensor(_ shape: [Int], seed: UInt64) -> Tensor {
    Tensor(f32: values(shape.reduce(1, *), seed: seed), shape)
  }
}

/// How far apart two lists of numbers are.
enum Agreement {
  /// The largest difference, relative to the largest of the expected values; infinite where one is not finite.
  static func error(_ found: [Float], _ expected: [Float]) -> Float {
    guard found.count == expected.count else { return .infinity }
    var (difference, scale): (Float, Float) = (0, 1e-20)
    for (a, b) in zip(found, expected) {
      guard a.isFinite, b.isFinite else { return .infinity }
      difference = max(difference, abs(a - b))
      scale = max(scale, abs(b))
    }
    return difference / scale
  }

  /// The factor that brings `expected` closest to `found`, when that agrees within `tolerance`.
  static func factor(_ found: [Float], _ expected: [Float], tolerance: Float) -> Float? {
    var (product, square): (Double, Double) = (0, 0)
    for (a, b) in zip(found, expected) {
      product += Double(a) * Double(b)
      square += Double(b) * Double(b)
    }
    guard square > 0 else { return nil }
    let factor = Float(product / square)
    return error(found, expected.map { $0 * factor }) <= tolerance ? factor : nil
  }
}
