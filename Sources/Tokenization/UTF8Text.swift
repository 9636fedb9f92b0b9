/// Reading scalars from bytes that are known to be valid UTF-8.
enum UTF8Text {
  /// The number of bytes of the scalar that starts with `lead`; 1 for a byte that starts none.
  @inline(__always) static func length(lead: UInt8) -> Int {
    lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
  }

  /// The scalar at `offset` and its length in bytes.
  ///
  /// Bytes that a corrupt section made invalid give U+FFFD or an arbitrary scalar, never a read past the end.
  @inline(__always) static func scalar(
    in bytes: UnsafeBufferPointer<UInt8>, at offset: Int
  ) -> (scalar: Unicode.Scalar, length: Int) {
    let lead = bytes[offset]
    if lead < 0x80 { return (Unicode.Scalar(lead), 1) }
    let length = min(length(lead: lead), bytes.count - offset)
    var value = length == 1 ? 0xFFFD : UInt32(lead) & (0x7F >> UInt32(length))
    for index in 1..<max(length, 1) { value = value << 6 | UInt32(bytes[offset + index] & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
  }

  /// The scalar that ends before `offset`, which must be positive.
  static func scalar(in bytes: UnsafeBufferPointer<UInt8>, before offset: Int) -> Unicode.Scalar {
    var start = offset - 1
    while start > 0, offset - start < 4, bytes[start] & 0xC0 == 0x80 { start -= 1 }
    return scalar(in: bytes, at: start).scalar
  }

  /// The length of the longest prefix that does not end inside a scalar which more bytes could complete.
  static func completePrefix(of bytes: [UInt8]) -> Int {
    for back in 1...3 where back <= bytes.count {
      let byte = bytes[bytes.count - back]
      if byte & 0xC0 == 0x80 { continue }
      return byte >= 0xC0 && length(lead: byte) > back ? bytes.count - back : bytes.count
    }
    return bytes.count
  }
}
