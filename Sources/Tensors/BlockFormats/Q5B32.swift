/// `w = d (q - 16)`, q in 0...31, 32 per block: 16 bytes of low nibbles, 4 of high bits, and d. GGUF's Q5_0.
enum Q5B32: BlockCoding {
  static let planes = [4, 1]
  static let parameterCount = 1
  static let byteCount = 22
  private static let grid = SymmetricGrid(limit: 16)

  static func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> BlockParameters? {
    grid.fit(w, count, tolerance).map { BlockParameters(first: $0) }
  }

  static func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> BlockParameters {
    BlockParameters(first: grid.nearest(w, count))
  }

  static func code(_ w: Float, at index: Int, _ p: BlockParameters) -> UInt8 {
    UInt8(grid.quant(w, p.first) + 16)
  }

  static func decode(_ code: UInt8, at index: Int, _ p: BlockParameters) -> Float {
    Float(p.first) * Float(Int(code) - 16)
  }
}
