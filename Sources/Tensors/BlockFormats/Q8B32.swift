/// `w = d q`, q in -127...127 (-128 where weights came with it), 32 per block: 32 bytes of codes in two's
/// complement and d. GGUF's Q8_0, MatMulNBits with 8 bits.
enum Q8B32: SymmetricCoding {
  static let planes = [8]
  static let byteCount = 34
  static let grid = SymmetricGrid(limit: 128)
  static let offset: UInt8 = 0
}
