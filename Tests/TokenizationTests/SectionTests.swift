import Foundation
import Tensors
import Testing

@testable import Tokenization

@Suite struct SectionTests {
  /// A tokenizer over a copy of `bytes`.
  private func load(_ bytes: [UInt8]) throws(TokenizationError) -> Tokenizer {
    let storage = TensorStorage(byteCount: bytes.count)
    let buffer = UnsafeMutableRawBufferPointer(start: storage.base, count: bytes.count)
    buffer.copyBytes(from: bytes)
    return try Tokenizer(section: UnsafeRawBufferPointer(buffer), owner: storage)
  }

  @Test(arguments: Fixture.names)
  func loadedIsCompiled(_ name: String) throws {
    let compiled = try Fixture.tokenizer(name)
    let loaded = try load(compiled.serialized())
    #expect(loaded.serialized() == compiled.serialized())
    #expect(try Fixture.tokenizer(name).serialized() == compiled.serialized())
    for expected in try Fixture.expected(name).encodings.prefix(40) {
      #expect(loaded.encode(expected.text) == expected.ids)
    }
  }

  @Test func everyCutIsRefused() throws {
    let bytes = try Fixture.tokenizer("gemma").serialized()
    for count in stride(from: 0, to: bytes.count, by: 97) {
      #expect(throws: TokenizationError.self) { try load(Array(bytes[..<count])) }
    }
  }

  /// Whatever single bytes become, loading throws or the tokenizer works on without reading outside of its
  /// section.
  @Test(arguments: ["gemma", "llama3", "words", "metaspace", "splits"])
  func corruptionNeverCrashes(_ name: String) throws {
    let bytes = try Fixture.tokenizer(name).serialized()
    var generator = SystemRandomNumberGenerator.Seeded(state: 7)
    for round in 0..<400 {
      var corrupt = bytes
      // Half of the rounds hit the header and the small parts at the end, which decide most.
      let range =
        round % 2 == 0 ? 0..<bytes.count : round % 4 == 1 ? 0..<200 : bytes.count - 400..<bytes.count
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        corrupt[Int.random(in: range, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      guard let tokenizer = try? load(corrupt) else { continue }
      let ids = tokenizer.encode("Hello [MASK] über 東京 42\n\n<eos> 🦊")
      #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabularyCount })
      _ = tokenizer.decode(
        ids + Array(0..<TokenID(min(300, tokenizer.vocabularyCount))), skipSpecialTokens: false)
      _ = (tokenizer.endOfTextIDs, tokenizer.beginningOfTextID, tokenizer.specialTokenIDs)
    }
  }

  @Test func errorsNameTheFault() throws {
    var bytes = try Fixture.tokenizer("gpt2").serialized()
    bytes[8] = 9
    #expect(throws: TokenizationError.corruptSection("it has version 9; accepted: 1")) { try load(bytes) }
    bytes[0] ^= 1
    #expect(throws: TokenizationError.corruptSection("it has another magic number")) { try load(bytes) }
  }
}
