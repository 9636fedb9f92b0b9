/// What a normalizer replaces or a pre-tokenizer splits at.
enum TextPattern: Sendable {
  /// UTF-8 of a text; never empty.
  case literal([UInt8])
  case regex(RegexPattern)
  /// One scalar of a class.
  case scalar(ScalarClass)

  /// Calls `body` with each match, in order and without overlap, as a byte range of `bytes`.
  func forEachMatch(in bytes: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
    switch self {
    case .literal(let text): Self.forEachOccurrence(of: text, in: bytes, body)
    case .regex(let pattern): pattern.forEachMatch(in: bytes, body)
    case .scalar(let set):
      var offset = 0
      while offset < bytes.count {
        let (scalar, length) = UTF8Text.scalar(in: bytes, at: offset)
        if set.contains(scalar) { body(offset..<offset + length) }
        offset += length
      }
    }
  }

  private static func forEachOccurrence(
    of text: [UInt8], in bytes: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void
  ) {
    let first = text[0]
    var offset = 0
    while offset + text.count <= bytes.count {
      if bytes[offset] == first, bytes[offset..<offset + text.count].elementsEqual(text) {
        body(offset..<offset + text.count)
        offset += text.count
      } else {
        offset += 1
      }
    }
  }

  /// `bytes` with every match replaced by `content`.
  func replacing(_ bytes: [UInt8], with content: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    bytes.withUnsafeBufferPointer { buffer in
      var end = 0
      forEachMatch(in: buffer) { match in
        result.append(contentsOf: buffer[end..<match.lowerBound])
        result.append(contentsOf: content)
        end = match.upperBound
      }
      result.append(contentsOf: buffer[end...])
    }
    return result
  }
}

extension TextPattern {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .literal(let text):
      writer.write(UInt8(0))
      writer.write(text)
    case .regex(let pattern):
      writer.write(UInt8(1))
      writer.write(Array(pattern.text.utf8))
    case .scalar(let set):
      writer.write(UInt8(2))
      writer.write(set.rawValue)
    }
  }

  init(from reader: inout ByteReader) throws(TokenizationError) {
    switch try reader.read(UInt8.self) {
    case 0:
      let text = try reader.readBytes()
      guard !text.isEmpty else { throw .corruptSection("an empty pattern") }
      self = .literal(text)
    case 1: self = .regex(try RegexPattern(icu: try reader.readText()))
    case 2:
      guard let set = ScalarClass(rawValue: try reader.read(UInt8.self)) else {
        throw .corruptSection("an unknown class of scalars")
      }
      self = .scalar(set)
    default: throw .corruptSection("an unknown kind of pattern")
    }
  }
}
