import Tensors

/// Operands of random bits, always the same.
struct RandomOperands {
  /// Numbers are from here to 1.
  var low: Float = -1
  /// Bits that codes may have.
  var mask = UInt64.max
  private var state: UInt64 = 1

  init(low: Float = -1, mask: UInt64 = .max) { (self.low, self.mask) = (low, mask) }

  private mutating func next() -> UInt64 {
    state = state &* 6364136223846793005 &+ 1442695040888963407
    return state ^ state >> 29
  }

  mutating func numbers(_ shape: [Int]) -> Tensor {
    let low = low
    return Tensor(
      f32: (0..<shape.reduce(1, *)).map { _ in low + (1 - low) * Float(Int(next() >> 40)) / Float(1 << 24) }, shape)
  }

  /// Rows of `count` bytes that end with `scales` scales.
  mutating func codes(_ rows: Int, _ count: Int, scales: Int) -> Tensor {
    let tensor = Tensor(.u8, [rows, count])
    for row in 0..<rows {
      let bytes = tensor.base + row * count
      for offset in stride(from: 0, to: count, by: 8) {
        bytes.storeBytes(of: next() & mask, toByteOffset: offset, as: UInt64.self)
      }
      for index in 1...scales {
        bytes.storeBytes(of: 0.01, toByteOffset: count - index * 2, as: Float16.self)
      }
    }
    return tensor
  }
}
