/// `w = d q - m`, q in 0...15, 32 per block: 16 bytes of codes, d, and m. GGUF's Q4_0, Q4_1 and Q4_K,
/// MatMulNBits with 4 bits.
enum Q4B32: BlockCoding {
  static let planes = [4]
  static let parameterCount = 2
  static let byteCount = 20

  static func fit(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> BlockParameters? {
    OffsetGrid.fit(w, count, tolerance)
  }

  static func nearest(_ w: UnsafePointer<Float>, _ count: Int) -> BlockParameters {
    OffsetGrid.nearest(w, count)
  }

  static func code(_ w: Float, at index: Int, _ p: BlockParameters) -> UInt8 { UInt8(OffsetGrid.quant(w, p)) }

  static func decode(_ code: UInt8, at index: Int, _ p: BlockParameters) -> Float {
    Float(p.first) * Float(code) - Float(p.second)
  }
}
