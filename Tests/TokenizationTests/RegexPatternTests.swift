import Testing

@testable import Tokenization

/// The classes that ICU and Oniguruma define differently.
@Suite struct RegexPatternTests {
  private func matches(_ pattern: String, _ text: String) throws -> [String] {
    let pattern = try RegexPattern(pattern)
    let bytes = Array(text.utf8)
    var result: [String] = []
    bytes.withUnsafeBufferPointer { buffer in
      pattern.forEachMatch(in: buffer) { result.append(String(decoding: buffer[$0], as: UTF8.self)) }
    }
    return result
  }

  @Test func wordsHoldSuperscriptsAndNoJoiners() throws {
    #expect(try matches(#"\w+"#, "x² ¼\u{200D}y") == ["x²", "¼", "y"])
    #expect(try matches(#"[^\w\s]+"#, "a² \u{200D}!") == ["²", "\u{200D}!"])
    #expect(try matches(#"\W"#, "²-") == ["-"])
  }

  @Test func hIsAHexadecimalDigit() throws {
    #expect(try matches(#"\h+|\H"#, "beg 9") == ["be", "g", " ", "9"])
  }

  @Test func punctuationHoldsSymbols() throws {
    #expect(try matches("[[:punct:]]+", "a+b€,c") == ["+", "€,"])
  }

  @Test func onlyNewlineEndsALine() throws {
    #expect(try matches(".+$", "a\rb\u{2028}c\nd") == ["a\rb\u{2028}c", "d"])
  }

  @Test func emptyMatchesBehindAMatchAreSkipped() throws {
    #expect(try matches("o*", "oog") == ["oo", ""])
  }

  @Test func offsetsCountBytes() throws {
    #expect(try matches(#"\p{L}+"#, "é🦊日本 x") == ["é", "日本", "x"])
  }
}
