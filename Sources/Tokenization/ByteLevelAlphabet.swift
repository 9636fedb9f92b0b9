/// GPT-2's reversible spelling of bytes as printable characters: `Ġ` is a space, `Ċ` a newline.
enum ByteLevelAlphabet {
  /// The UTF-8 of the character that spells each byte; one or two bytes.
  static let spelling: [[UInt8]] = scalars.map { scalar in
    scalar < 0x80 ? [UInt8(scalar)] : [UInt8(0xC0 | scalar >> 6), UInt8(0x80 | scalar & 0x3F)]
  }

  /// The byte that each scalar below 0x180 spells.
  private static let bytes: [UInt8?] = {
    var table = [UInt8?](repeating: nil, count: 0x180)
    for (byte, scalar) in scalars.enumerated() { table[scalar] = UInt8(byte) }
    return table
  }()

  /// The scalar that spells each byte: printable Latin-1 itself, for the others U+0100 onwards in order.
  private static let scalars: [Int] = {
    var next = 0x100
    return (0...255).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  /// The bytes that `token` spells; nil when a character of it spells none.
  static func decode(_ token: [UInt8]) -> [UInt8]? {
    token.withUnsafeBufferPointer { text in
      var result: [UInt8] = []
      result.reserveCapacity(text.count)
      var offset = 0
      while offset < text.count {
        let (scalar, length) = UTF8Text.scalar(in: text, at: offset)
        guard scalar.value < 0x180, let byte = bytes[Int(scalar.value)] else { return nil }
        result.append(byte)
        offset += length
      }
      return result
    }
  }
}
