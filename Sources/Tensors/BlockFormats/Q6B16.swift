/// `w = d (q - 32)`, q in 0...63, one d per 16 weights: per block 16 bytes of low nibbles, 8 of high pairs of
/// bits, and d of weights 0-15 and of 16-31. GGUF's Q6_K and Q3_K, MatMulNBits with 4 bits in blocks of 16.
enum Q6B16: BlockCoding {
  static let planes = [4, 2]
  static let parameterCount = 2
  static let byteCount = 28
  private static let half = 16
  private static let grid = SymmetricGrid(limit: 32)

  static func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> BlockParameters? {
    guard let first = grid.fit(w, min(count, half), tolerance),
      let second = grid.fit(w + half, max(count - half, 0), tolerance)
    else { return nil }
    return BlockParameters(first: first, second: second)
  }

  static func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> BlockParameters {
    BlockParameters(
      first: grid.nearest(w, min(count, half)), second: grid.nearest(w + half, max(count - half, 0)))
  }

  static func code(_ w: Float, at index: Int, _ p: BlockParameters) -> UInt8 {
    UInt8(grid.quant(w, index < half ? p.first : p.second) + 32)
  }

  static func decode(_ code: UInt8, at index: Int, _ p: BlockParameters) -> Float {
    Float(index < half ? p.first : p.second) * Float(Int(code) - 32)
  }
}
