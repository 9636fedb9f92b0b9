/// How names and strings are written: as they are when plain, else in quotes.
///
/// A plain name consists of ASCII letters, digits, `_` and `.`, and of single slashes between them.
enum Spelling {
  static func isLetter(_ byte: UInt8) -> Bool {
    (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte == UInt8(ascii: "_")
  }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

  private static func isPlain(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ".")
  }

  /// Where the plain name that starts at `start` ends; `start` when there is none.
  static func endOfName(_ bytes: [UInt8], from start: Int) -> Int {
    var end = start
    while end < bytes.count {
      let isInnerSlash = bytes[end] == UInt8(ascii: "/") && end + 1 < bytes.count && isPlain(bytes[end + 1])
      guard isPlain(bytes[end]) || isInnerSlash else { break }
      end += 1
    }
    return end
  }

  private static func isPlainName(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return !bytes.isEmpty && endOfName(bytes, from: 0) == bytes.count
  }

  /// A name after a sigil: `%name`, `@name`.
  static func name(_ text: String) -> String { isPlainName(text) ? text : quoted(text) }

  /// A name without a sigil, which must begin like a word.
  static func word(_ text: String) -> String {
    isPlainName(text) && isLetter(text.utf8.first!) ? text : quoted(text)
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.properties.generalCategory == .control:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
