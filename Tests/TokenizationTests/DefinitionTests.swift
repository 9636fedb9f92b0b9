import Foundation
import Testing

@testable import Tokenization

@Suite struct DefinitionTests {
  /// A tokenizer of the letters a to c with one merge, and `extra` members.
  private func compile(_ extra: String = "", model: String = "", merges: String = "[\"a b\"]") throws
    -> Tokenizer
  {
    let json = """
      {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3}, "merges": \(merges)\(model)}
      \(extra)}
      """
    return try Tokenizer(compiling: Data(json.utf8))
  }

  private func message(_ body: () throws -> Tokenizer) -> String {
    do {
      _ = try body()
      return "accepted"
    } catch { return "\(error)" }
  }

  @Test func smallestTokenizer() throws {
    let tokenizer = try compile()
    #expect(tokenizer.encode("abcxab") == [3, 2, 3])
    #expect(tokenizer.decode([3, 2]) == "ab c")
    #expect(try compile(merges: "[[\"a\", \"b\"]]").encode("ab") == [3])
  }

  @Test func unsupportedComponentsAreNamed() {
    #expect(
      message { try compile(", \"normalizer\": {\"type\": \"Nmt\"}") }
        == "normalizer 'Nmt' is not supported; accepted: 'Replace', 'Prepend', 'Sequence', 'NFC', 'NFD', "
        + "'NFKC', 'NFKD', 'Lowercase', 'Strip', 'StripAccents'")
    #expect(
      message { try compile(", \"decoder\": {\"type\": \"CTC\"}") }
        == "decoder 'CTC' is not supported; accepted: 'Replace', 'ByteFallback', 'Fuse', 'Strip', "
        + "'ByteLevel', 'Metaspace', 'Sequence'")
    #expect(
      message { try compile(", \"pre_tokenizer\": {\"type\": \"Bert\"}") }.hasPrefix(
        "pre-tokenizer 'Bert' is"))
    #expect(
      message { try compile(", \"post_processor\": {\"type\": \"X\"}") }.hasPrefix(
        "post-processor 'X' is not"))
    #expect(
      message { try compile(model: ", \"end_of_word_suffix\": \"</w>\"") }
        == "'end_of_word_suffix' of 'BPE' is not supported; accepted: null")
    #expect(
      message { try compile(model: ", \"dropout\": 0.1") }
        == "'dropout' of 'BPE' is not supported; accepted: null")
    #expect(
      message { try Tokenizer(compiling: Data("{\"model\": {\"type\": \"Unigram\"}}".utf8)) }
        == "model 'Unigram' is not supported; accepted: 'BPE'")
  }

  @Test func faultsAreNamed() {
    #expect(
      message { try compile(merges: "[\"a x\"]") } == "merge 0 needs 'x', which is not in the vocabulary")
    #expect(
      message { try compile(merges: "[\"a b c\"]") } == "merge 0 must be two tokens: 'a b' or ['a', 'b']")
    #expect(
      message { try compile(model: ", \"unk_token\": \"<unk>\"") }
        == "unknown token '<unk>' is not in the vocabulary")
    #expect(
      message { try compile(", \"normalizer\": {\"type\": \"Prepend\"}") }
        == "'Prepend' in tokenizer.json needs 'prepend'")
    #expect(
      message { try compile(", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}}") }
        == "regular expression '(' cannot be used: ICU does not accept it")
    #expect(
      message { try Tokenizer(compiling: Data("{\"model\": tru}".utf8)) }
        == "tokenizer.json is not valid JSON: unknown literal at byte 10")
  }

  @Test func vocabularyFacts() throws {
    let tokenizer = try Fixture.tokenizer("llama2")
    #expect(tokenizer.beginningOfTextID == 1)
    #expect(tokenizer.endOfTextIDs == [2])
    #expect(tokenizer.specialTokenIDs == [0, 1, 2])
    #expect(tokenizer.token(for: 1) == "<s>")
    #expect(tokenizer.tokenID(for: "<0x0A>") == 13)
    #expect(tokenizer.token(for: TokenID(tokenizer.vocabularyCount)) == nil)
    #expect(tokenizer.tokenID(for: "no such token") == nil)
    #expect(try Fixture.tokenizer("gemma").endOfTextIDs.count == 3)
  }

  @Test func addedTokensAreNumberedBehindTheModel() throws {
    let added = #"[{"id": 9, "content": "<x>"}, {"id": 9, "content": "c"}, {"content": "<y>"}]"#
    #expect(try compile(", \"added_tokens\": \(added)").encode("a<x><y>c") == [0, 4, 5, 2])
  }

  @Test func canonicallyEquivalentTokensStayApart() throws {
    let vocabulary = #"{"\u00e9": 0, "e": 1, "\u0301": 2, "e\u0301": 3}"#
    let json = #"{"model": {"vocab": \#(vocabulary), "merges": ["e \u0301"]}}"#
    let tokenizer = try Tokenizer(compiling: Data(json.utf8))
    #expect(tokenizer.encode("\u{e9}e\u{301}") == [0, 3])
  }
}
