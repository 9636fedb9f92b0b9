extension Dim: CustomStringConvertible {
  /// Canonical text, parsed back by ``init(parsing:)``: `4`, `P + S`, `2*S`, `floor(S, 2)`, `max(P, 1)`.
  public var description: String {
    guard !terms.isEmpty else { return "0" }
    var text = ""
    for (index, term) in terms.enumerated() {
      let magnitude = term.coefficient.magnitude
      if index == 0 {
        if term.coefficient < 0 { text += "-" }
      } else {
        text += term.coefficient < 0 ? " - " : " + "
      }
      let factors = term.factors.map(\.description).joined(separator: "*")
      if term.factors.isEmpty {
        text += "\(magnitude)"
      } else {
        text += magnitude == 1 ? factors : "\(magnitude)*\(factors)"
      }
    }
    return text
  }
}

extension Dim.Factor: CustomStringConvertible {
  public var description: String {
    switch self {
    case .symbol(let name): Dim.isPlainSymbol(name) ? name : "`\(name)`"
    case .floorDivide(let a, let b): "floor(\(a), \(b))"
    case .maximum(let a, let b): "max(\(a), \(b))"
    case .minimum(let a, let b): "min(\(a), \(b))"
    }
  }
}

extension Dim {
  /// Whether a name needs no back quotes in text: a letter or underscore, then letters, digits, `_` and `.`.
  static func isPlainSymbol(_ name: String) -> Bool {
    guard let first = name.utf8.first, isLetter(first) else { return false }
    return name.utf8.allSatisfy { isLetter($0) || ($0 >= 48 && $0 <= 57) || $0 == 46 }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte == 95
  }

  /// Parses a sum of products of integers, symbols, parentheses and `floor`, `max`, `min` calls.
  ///
  /// - Returns: nil when the text is no such expression, or one that nests or multiplies out beyond reason.
  public init?(parsing text: String) {
    var parser = DimParser(Array(text.utf8))
    guard let dim = parser.sum(), parser.isAtEnd else { return nil }
    self = dim
  }
}

private struct DimParser {
  let bytes: [UInt8]
  var position = 0
  private var depth = 0

  /// Parentheses and calls nest at most this deep.
  private static let maximumDepth = 32
  /// A product has at most this many terms.
  private static let maximumTermCount = 256

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func skipBlanks() {
    while position < bytes.count, bytes[position] == 32 || bytes[position] == 9 { position += 1 }
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func sum() -> Dim? {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { return nil }
    var result = Dim(0)
    var sign = take("-") ? -1 : 1
    while true {
      guard let term = product() else { return nil }
      result = result + term * sign
      if take("+") {
        sign = 1
      } else if take("-") {
        sign = -1
      } else {
        skipBlanks()
        return result
      }
    }
  }

  mutating func product() -> Dim? {
    guard var result = factor() else { return nil }
    while true {
      if take("*") {
        guard let next = factor(), result.terms.count * next.terms.count <= Self.maximumTermCount else {
          return nil
        }
        result = result * next
      } else if take("/") {
        if position < bytes.count, bytes[position] == UInt8(ascii: "/") { position += 1 }
        guard let next = factor() else { return nil }
        result = result / next
      } else {
        return result
      }
    }
  }

  mutating func factor() -> Dim? {
    if take("(") {
      guard let inner = sum(), take(")") else { return nil }
      return inner
    }
    if take("`") {
      guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "`")) else { return nil }
      defer { position = end + 1 }
      return Dim(String(decoding: bytes[position..<end], as: UTF8.self))
    }
    let start = position
    while position < bytes.count, isWord(bytes[position]) { position += 1 }
    let word = String(decoding: bytes[start..<position], as: UTF8.self)
    if word.isEmpty { return nil }
    if let value = Int(word) { return Dim(value) }
    guard Dim.isPlainSymbol(word) else { return nil }
    guard ["floor", "max", "min"].contains(word), take("(") else { return Dim(word) }
    guard let a = sum(), take(","), let b = sum(), take(")") else { return nil }
    switch word {
    case "floor": return a / b
    case "max": return Dim.maximum(a, b)
    default: return Dim.minimum(a, b)
    }
  }

  private func isWord(_ byte: UInt8) -> Bool {
    (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte == 95
      || byte == 46
  }
}
