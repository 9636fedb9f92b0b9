/// Walks the fields of one protobuf message, checking every length.
struct WireReader {
  enum Failure: Error { case malformed(offset: Int) }

  /// One field: its number, and where its value lies (for a varint, `value` holds it instead).
  struct Field {
    var number: Int
    /// 0 varint, 1 eight bytes, 2 counted bytes, 5 four bytes.
    var wireType: Int
    /// The tag's first byte.
    var start: Int
    /// The bytes of the value, without its length.
    var body: Range<Int>
  }

  private let bytes: UnsafeRawBufferPointer
  private(set) var position: Int
  private let end: Int

  /// - Parameter range: the message's bytes; within `bytes`.
  init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "message outside of its file")
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// The next field, nil at the end of the message.
  mutating func next() throws(Failure) -> Field? {
    guard position < end else { return nil }
    let start = position
    let tag = try varint()
    let number = tag >> 3
    guard number >= 1, number < 1 << 29 else { throw .malformed(offset: start) }
    let wireType = Int(tag & 7)
    let body: Range<Int>
    switch wireType {
    case 0:
      let first = position
      _ = try varint()
      body = first..<position
    case 1: body = try take(8)
    case 2: body = try take(try varint())
    case 5: body = try take(4)
    default: throw .malformed(offset: start)
    }
    return Field(number: Int(number), wireType: wireType, start: start, body: body)
  }

  private mutating func take(_ count: UInt64) throws(Failure) -> Range<Int> {
    guard count <= UInt64(end - position) else { throw .malformed(offset: position) }
    defer { position += Int(count) }
    return position..<position + Int(count)
  }

  private mutating func varint() throws(Failure) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard position < end else { throw .malformed(offset: start) }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte & 0x80 == 0 { return value }
    }
    throw .malformed(offset: start)
  }
}
