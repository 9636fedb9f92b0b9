import Foundation
import Testing

@testable import Tokenization

/// A small tokenizer and what the reference does with it; made by `Fixtures/make_fixtures.py`.
struct Fixture: Decodable {
  struct Encoding: Decodable {
    let text: String
    /// With special tokens.
    let ids: [TokenID]
    /// Without special tokens.
    let plain: [TokenID]
    /// Special tokens skipped.
    let decoded: String
    /// Special tokens kept.
    let verbatim: String
  }

  struct Decoding: Decodable {
    let ids: [TokenID]
    let decoded: String
    let verbatim: String
  }

  let encodings: [Encoding]
  let decodings: [Decoding]

  static let names = [
    "gpt2", "llama2", "mistral", "gemma", "llama3", "qwen2", "o200k", "deepseek", "words", "metaspace",
    "splits",
    "prefixed",
  ]

  static func data(_ name: String, _ file: String) throws -> Data {
    let folder = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
    return try Data(contentsOf: folder.appending(path: name).appending(path: file))
  }

  static func expected(_ name: String) throws -> Fixture {
    try JSONDecoder().decode(Fixture.self, from: try data(name, "expected.json"))
  }

  static func tokenizer(_ name: String) throws -> Tokenizer {
    try Tokenizer(compiling: try data(name, "tokenizer.json"))
  }
}

/// Texts compare by bytes: `==` takes canonically equivalent ones as equal.
func expectEqual(_ a: String, _ b: String, _ note: @autoclosure () -> String = "") {
  #expect(Array(a.utf8) == Array(b.utf8), "\(a.debugDescription) is not \(b.debugDescription) \(note())")
}

/// Feeds ids one by one; every piece must be whole characters.
func streamed(_ ids: [TokenID], _ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) -> String {
  var decoder = StreamDecoder(tokenizer, skipSpecialTokens: skipSpecialTokens)
  return ids.map { decoder.feed($0) }.joined() + decoder.finish()
}
