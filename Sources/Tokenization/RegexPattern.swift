import Foundation

/// A regular expression of `tokenizer.json`, matched by ICU.
///
/// The reference implementation matches with Oniguruma (Ruby syntax). ICU gives the same matches for what
/// tokenizers use; the few classes that differ are spelled out when the pattern is read.
struct RegexPattern: @unchecked Sendable {  // the expression is immutable
  /// The pattern in ICU's syntax.
  let text: String
  private let expression: NSRegularExpression

  /// From Oniguruma's syntax.
  init(_ pattern: String) throws(TokenizationError) { try self.init(icu: Self.translated(pattern)) }

  init(icu text: String) throws(TokenizationError) {
    self.text = text
    do {
      expression = try NSRegularExpression(
        pattern: text, options: [.useUnixLineSeparators, .anchorsMatchLines])
    } catch {
      throw .regex(text, "ICU does not accept it")
    }
  }

  /// GPT-2's pattern, which `ByteLevel` implies.
  static let byteLevel =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// The pattern of the `Whitespace` pre-tokenizer, in ICU's syntax.
  static let words = #"\w+|[^\w\s]+"#

  /// Calls `body` with each match, in order, as a byte range of `bytes`.
  func forEachMatch(in bytes: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
    let text = String(decoding: bytes, as: UTF8.self)
    let length = text.utf16.count
    let isASCII = length == bytes.count
    var (byte, unit, lastEnd) = (0, 0, -1)
    /// Walks on to UTF-16 offset `target`; targets only grow.
    func byteOffset(_ target: Int) -> Int {
      if isASCII { return target }
      while unit < target {
        let length = UTF8Text.length(lead: bytes[byte])
        unit += length == 4 ? 2 : 1
        byte += length
      }
      return byte
    }
    for match in expression.matches(in: text, range: NSRange(location: 0, length: length)) {
      let range = match.range
      // Oniguruma's search skips an empty match right behind the previous one.
      if range.length == 0, range.location == lastEnd { continue }
      lastEnd = range.location + range.length
      let start = byteOffset(range.location)
      body(start..<byteOffset(lastEnd))
    }
  }

  /// Oniguruma's word characters in a bracketed class.
  private static let word = #"[\w--[\u200C\u200D]]"#
  /// Outside of brackets, superscript digits and fractions of Latin-1 are word characters to it as well.
  private static let bareWord = #"[[\w\u00B2\u00B3\u00B9\u00BC-\u00BE]--[\u200C\u200D]]"#

  private static func translated(_ pattern: String) -> String {
    let punctuation = "[:punct:]"
    var result = ""
    var depth = 0
    var rest = pattern.unicodeScalars[...]
    while let first = rest.first {
      if rest.starts(with: punctuation.unicodeScalars) {
        result += #"[\p{P}\p{S}]"#
        rest = rest.dropFirst(punctuation.unicodeScalars.count)
      } else if first == "\\" {
        let escape = String(String.UnicodeScalarView(rest.prefix(2)))
        result += translated(escape: escape, word: depth > 0 ? word : bareWord)
        rest = rest.dropFirst(2)
      } else {
        if first == "[" { depth += 1 } else if first == "]" { depth = max(0, depth - 1) }
        result.unicodeScalars.append(first)
        rest = rest.dropFirst()
      }
    }
    return result
  }

  private static func translated(escape: String, word: String) -> String {
    switch escape {
    case #"\w"#: word
    case #"\W"#: "[^\(word)]"
    case #"\h"#: "[0-9A-Fa-f]"
    case #"\H"#: "[^0-9A-Fa-f]"
    default: escape
    }
  }
}
