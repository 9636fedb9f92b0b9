/// A word of the text IR.
enum Token: Equatable {
  case identifier(String)
  /// `%name`
  case value(String)
  /// `@name`
  case global(String)
  case string(String)
  /// An integer or a float as written; ``Token/isFloat(_:)`` tells which.
  case number(String)
  case punctuation(Character)
  case arrow
  case end

  /// For error messages.
  var found: String {
    switch self {
    case .identifier(let text), .number(let text): "'\(text)'"
    case .value(let name): "'%\(Spelling.name(name))'"
    case .global(let name): "'@\(Spelling.name(name))'"
    case .string(let text): Spelling.quoted(text)
    case .punctuation(let character): "'\(character)'"
    case .arrow: "'->'"
    case .end: "the end of the text"
    }
  }

  static func isFloat(_ number: String) -> Bool {
    number.utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "n") }
  }
}

/// Splits a text into tokens, one at a time; blanks, line ends and `//` comments separate them.
struct Lexer {
  let source: SourceText
  private(set) var position = 0

  init(_ source: SourceText) { self.source = source }

  private var bytes: [UInt8] { source.bytes }

  private func byte(_ offset: Int) -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipBlanks() {
    while let next = byte(position) {
      if next == UInt8(ascii: "/"), byte(position + 1) == UInt8(ascii: "/") {
        while let next = byte(position), next != UInt8(ascii: "\n") { position += 1 }
      } else if [32, 9, 10, 13].contains(next) {
        position += 1
      } else {
        return
      }
    }
  }

  /// The next token and where it starts.
  mutating func next() throws(ParseError) -> (token: Token, offset: Int) {
    skipBlanks()
    let start = position
    guard let first = byte(start) else { return (.end, start) }
    switch first {
    case UInt8(ascii: "%"): return (.value(try sigilName()), start)
    case UInt8(ascii: "@"): return (.global(try sigilName()), start)
    case UInt8(ascii: "\""): return (.string(try string()), start)
    case UInt8(ascii: "-") where byte(start + 1) == UInt8(ascii: ">"):
      position += 2
      return (.arrow, start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return (.number(number()), start)
    case _ where Spelling.isLetter(first):
      position = Spelling.endOfName(bytes, from: start)
      return (.identifier(source.text(start..<position)), start)
    case _ where "(){}[],=:".utf8.contains(first):
      position += 1
      return (.punctuation(Character(Unicode.Scalar(first))), start)
    default:
      throw source.error("'\(character(at: start))' begins no word of the text form", at: start)
    }
  }

  private func character(at offset: Int) -> Character {
    String(decoding: bytes[offset..<min(offset + 16, bytes.count)], as: UTF8.self).first!
  }

  /// The name after `%` or `@`.
  private mutating func sigilName() throws(ParseError) -> String {
    let start = position + 1
    position = start
    let name: String
    if byte(start) == UInt8(ascii: "\"") {
      name = try string()
    } else {
      position = Spelling.endOfName(bytes, from: start)
      name = source.text(start..<position)
    }
    if name.isEmpty { throw source.error("expected a name", at: start) }
    return name
  }

  private mutating func number() -> String {
    let start = position
    position += 1
    while let next = byte(position) {
      let isSign = next == UInt8(ascii: "+") || next == UInt8(ascii: "-")
      let isPart = Spelling.isLetter(next) || Spelling.isDigit(next) || next == UInt8(ascii: ".")
      guard isPart || (isSign && bytes[position - 1] | 0x20 == UInt8(ascii: "e")) else { break }
      position += 1
    }
    return source.text(start..<position)
  }

  private mutating func string() throws(ParseError) -> String {
    let start = position
    position += 1
    var content: [UInt8] = []
    while let next = byte(position), next != UInt8(ascii: "\n") {
      position += 1
      switch next {
      case UInt8(ascii: "\""): return String(decoding: content, as: UTF8.self)
      case UInt8(ascii: "\\"): content += try escape()
      default: content.append(next)
      }
    }
    throw source.error("the string has no closing quote on its line", at: start)
  }

  /// The bytes that the escape after a backslash stands for.
  private mutating func escape() throws(ParseError) -> [UInt8] {
    let start = position - 1
    position += 1
    switch byte(position - 1) {
    case UInt8(ascii: "\""): return [UInt8(ascii: "\"")]
    case UInt8(ascii: "\\"): return [UInt8(ascii: "\\")]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "u"):
      if let end = bytes[position...].prefix(10).firstIndex(of: UInt8(ascii: "}")),
        byte(position) == UInt8(ascii: "{"), let code = UInt32(source.text(position + 1..<end), radix: 16),
        let scalar = Unicode.Scalar(code)
      {
        position = end + 1
        return Array(String(Character(scalar)).utf8)
      }
    default: break
    }
    throw source.error(#"expected an escape: \", \\, \n, \r, \t or \u{hex}"#, at: start)
  }

  // MARK: Dims

  /// The raw text of one dim, up to the `,` or `]` that ends it; the position is then before that character.
  mutating func dimText() throws(ParseError) -> (text: String, offset: Int) {
    skipBlanks()
    let start = position
    var depth = 0
    var isQuoted = false
    while let next = byte(position), next != UInt8(ascii: "\n") {
      switch next {
      case UInt8(ascii: "`"): isQuoted.toggle()
      case _ where isQuoted: break
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth -= 1
      case UInt8(ascii: "]"): return (source.text(start..<position), start)
      case UInt8(ascii: ",") where depth == 0: return (source.text(start..<position), start)
      default: break
      }
      position += 1
    }
    throw source.error("expected ']' after the dims of a type", at: position)
  }
}
