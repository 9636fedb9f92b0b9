import Testing

@testable import Tokenization

@Suite struct LongPieceTests {
  /// A piece without any boundary: quadratic merging would take minutes.
  @Test(arguments: ["gemma", "gpt2", "llama3"])
  func longPiecesMergeInReasonableTime(_ name: String) throws {
    let tokenizer = try Fixture.tokenizer(name)
    for unit in ["encodefoxthe", "東京", " ", "7", "\u{301}"] {
      let text = String(repeating: unit, count: 60_000 / unit.utf8.count)
      let ids = tokenizer.encode(text, addSpecialTokens: false)
      expectEqual(tokenizer.decode(ids), text)
    }
  }
}
