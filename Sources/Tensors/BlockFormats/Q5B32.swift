/// `w = d (q - 16)`, q in 0...31, 32 per block: 16 bytes of low nibbles, 4 of high bits, and d. GGUF's Q5_0.
enum Q5B32: SymmetricCoding {
  static let planes = [4, 1]
  static let byteCount = 22
  static let grid = SymmetricGrid(limit: 16)
  static let offset: UInt8 = 16
}
