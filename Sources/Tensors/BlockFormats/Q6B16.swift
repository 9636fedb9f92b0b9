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

  static func encode(
    _ w: UnsafePointer<Float>, _ count: Int, _ p: BlockParameters, into codes: UnsafeMutablePointer<UInt8>
  ) {
    let first = min(count, half)
    grid.encode(w, first, p.first, offset: 32, into: codes)
    grid.encode(w + first, count - first, p.second, offset: 32, into: codes + first)
  }

  static func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ p: BlockParameters, into w: UnsafeMutablePointer<Float>
  ) {
    let first = min(count, half)
    grid.decode(codes, first, p.first, offset: 32, into: w)
    grid.decode(codes + first, count - first, p.second, offset: 32, into: w + first)
  }
}
