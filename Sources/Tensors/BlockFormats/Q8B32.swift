/// `w = d q`, q in -127...127 (-128 where weights came with it), 32 per block: 32 bytes of codes in two's
/// complement and d. GGUF's Q8_0, MatMulNBits with 8 bits.
enum Q8B32: BlockCoding {
  static let planes = [8]
  static let parameterCount = 1
  static let byteCount = 34
  private static let grid = SymmetricGrid(limit: 128)

  static func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> BlockParameters? {
    grid.fit(w, count, tolerance).map { BlockParameters(first: $0) }
  }

  static func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> BlockParameters {
    BlockParameters(first: grid.nearest(w, count))
  }

  static func code(_ w: Float, at index: Int, _ p: BlockParameters) -> UInt8 {
    UInt8(bitPattern: Int8(grid.quant(w, p.first)))
  }

  static func decode(_ code: UInt8, at index: Int, _ p: BlockParameters) -> Float {
    Float(p.first) * Float(Int8(bitPattern: code))
  }
}
