/// Reads what ``ByteWriter`` wrote, never past the end.
struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { offset == bytes.count }

  mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(TokenizationError) -> T {
    guard bytes.count - offset >= MemoryLayout<T>.size else { throw .corruptSection("a record is cut off") }
    defer { offset += MemoryLayout<T>.size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  mutating func readBool() throws(TokenizationError) -> Bool { try read(UInt8.self) != 0 }

  mutating func readScalar() throws(TokenizationError) -> Unicode.Scalar {
    guard let scalar = Unicode.Scalar(try read(UInt32.self)) else {
      throw .corruptSection("not a Unicode scalar")
    }
    return scalar
  }

  mutating func readBytes() throws(TokenizationError) -> [UInt8] {
    let count = Int(try read(UInt32.self))
    guard count <= bytes.count - offset else { throw .corruptSection("a record is cut off") }
    defer { offset += count }
    return Array(bytes[offset..<offset + count])
  }

  mutating func readText() throws(TokenizationError) -> String {
    guard let text = String(validating: try readBytes(), as: UTF8.self) else {
      throw .corruptSection("text is not UTF-8")
    }
    return text
  }

  mutating func readIDs() throws(TokenizationError) -> [TokenID] {
    let count = Int(try read(UInt32.self))
    guard count <= (bytes.count - offset) / 4 else { throw .corruptSection("a record is cut off") }
    var ids: [TokenID] = []
    for _ in 0..<count { ids.append(try read(TokenID.self)) }
    return ids
  }

  /// A count of at most `limit` and that many elements.
  mutating func readList<T>(
    limit: Int = 1024, _ element: (inout ByteReader) throws(TokenizationError) -> T
  ) throws(TokenizationError) -> [T] {
    let count = Int(try read(UInt32.self))
    guard count <= limit else { throw .corruptSection("a list of \(count) steps") }
    var list: [T] = []
    for _ in 0..<count { list.append(try element(&self)) }
    return list
  }
}
