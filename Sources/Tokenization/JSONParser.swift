import Foundation

/// Reads JSON text (RFC 8259) into a ``JSONValue``.
struct JSONParser {
  /// Deeper nesting than any tokenizer has; bounds the recursion on hostile input.
  private static let maximumDepth = 64

  private let bytes: UnsafeBufferPointer<UInt8>
  private var offset = 0

  /// - Throws: ``TokenizationError`` with the byte offset of the first fault.
  static func parse(_ data: Data) throws(TokenizationError) -> JSONValue {
    let bytes = [UInt8](data)
    let result = bytes.withUnsafeBufferPointer { buffer in
      Result { () throws(TokenizationError) in
        var parser = JSONParser(bytes: buffer)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.offset == buffer.count else { throw .json("text after the document", at: parser.offset) }
        return value
      }
    }
    return try result.get()
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
  }

  private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  private mutating func value(depth: Int) throws(TokenizationError) -> JSONValue {
    guard depth < Self.maximumDepth else { throw .json("nesting is too deep", at: offset) }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(TokenizationError)
    -> JSONValue
  {
    let count = text.utf8CodeUnitCount
    let expected = UnsafeBufferPointer(start: text.utf8Start, count: count)
    guard offset + count <= bytes.count, bytes[offset..<offset + count].elementsEqual(expected) else {
      throw .json("unknown literal", at: offset)
    }
    offset += count
    return value
  }

  private mutating func array(depth: Int) throws(TokenizationError) -> JSONValue {
    offset += 1
    var elements: [JSONValue] = []
    if skip("]") { return .array(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while skip(",")
    guard skip("]") else { throw .json("expected ',' or ']'", at: offset) }
    return .array(elements)
  }

  private mutating func object(depth: Int) throws(TokenizationError) -> JSONValue {
    offset += 1
    var members: [JSONValue.Member] = []
    if skip("}") { return .object(members) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw .json("expected a key", at: offset) }
      let key = try string()
      guard skip(":") else { throw .json("expected ':'", at: offset) }
      members.append(.init(key: key, value: try value(depth: depth + 1)))
    } while skip(",")
    guard skip("}") else { throw .json("expected ',' or '}'", at: offset) }
    return .object(members)
  }

  private mutating func number() throws(TokenizationError) -> JSONValue {
    let start = offset
    while let byte = next, (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) { offset += 1 }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    guard let value = Double(text) else { throw .json("expected a value", at: start) }
    return .number(value)
  }

  /// The string that starts at the quote at `offset`. Runs without escapes are copied at once.
  private mutating func string() throws(TokenizationError) -> String {
    offset += 1
    var content: [UInt8] = []
    while true {
      let start = offset
      while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
        offset += 1
      }
      content.append(contentsOf: bytes[start..<offset])
      guard let byte = next, byte >= 0x20 else { throw .json("unterminated string", at: offset) }
      offset += 1
      if byte == UInt8(ascii: "\"") { break }
      try escape(into: &content)
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw .json("invalid UTF-8", at: offset)
    }
    return text
  }

  private mutating func escape(into content: inout [UInt8]) throws(TokenizationError) {
    guard let byte = next else { throw .json("unterminated escape", at: offset) }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0C)
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"): content.append(contentsOf: String(try escapedScalar()).utf8)
    default: throw .json("unknown escape", at: offset - 1)
    }
  }

  /// The scalar of `\uXXXX`, or of a surrogate pair of two of them.
  private mutating func escapedScalar() throws(TokenizationError) -> Unicode.Scalar {
    let start = offset
    let first = try hexadecimal()
    if let scalar = Unicode.Scalar(first) { return scalar }
    if (0xD800..<0xDC00).contains(first), next == UInt8(ascii: "\\"), offset + 1 < bytes.count,
      bytes[offset + 1] == UInt8(ascii: "u")
    {
      offset += 2
      let second = try hexadecimal()
      if (0xDC00..<0xE000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        return scalar
      }
    }
    throw .json("lone surrogate", at: start)
  }

  private mutating func hexadecimal() throws(TokenizationError) -> UInt32 {
    guard offset + 4 <= bytes.count else { throw .json("unterminated escape", at: offset) }
    var value: UInt32 = 0
    for byte in bytes[offset..<offset + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw .json("bad escape", at: offset)
      }
      value = value << 4 | UInt32(digit)
    }
    offset += 4
    return value
  }
}
