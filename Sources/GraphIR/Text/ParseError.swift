/// Text that is no module: what was found, what would be accepted, and where.
public struct ParseError: Error, CustomStringConvertible, Sendable {
  /// Lower case.
  public let message: String
  /// Counted from 1.
  public let line: Int
  /// Counted from 1, in characters.
  public let column: Int

  public init(_ message: String, line: Int, column: Int) {
    self.message = message
    self.line = line
    self.column = column
  }

  public var description: String { "\(line):\(column): \(message)" }
}

/// The bytes of a text and the positions in it.
struct SourceText {
  let bytes: [UInt8]

  init(_ text: String) { bytes = Array(text.utf8) }

  /// An error at a byte offset.
  func error(_ message: String, at offset: Int) -> ParseError {
    let before = bytes[..<min(offset, bytes.count)]
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return ParseError(
      message, line: line, column: String(decoding: before[start...], as: UTF8.self).count + 1)
  }

  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}
