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

  static func encode(
    _ w: UnsafePointer<Float>, _ count: Int, _ p: BlockParameters, into codes: UnsafeMutablePointer<UInt8>
  ) {
    OffsetGrid.encode(w, count, p, into: codes)
  }

  static func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ p: BlockParameters, into w: UnsafeMutablePointer<Float>
  ) {
    let (scale, minimum) = (Float(p.first), Float(p.second))
    for i in 0..<count { w[i] = scale * Float(codes[i]) - minimum }
  }
}
