import Testing

@testable import Tokenization

@Suite struct StreamDecoderTests {
  @Test(arguments: Fixture.names)
  func piecesMakeTheWhole(_ name: String) throws {
    let tokenizer = try Fixture.tokenizer(name)
    var generator = SystemRandomNumberGenerator.Seeded(state: 1)
    for _ in 0..<200 {
      let ids = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
        TokenID.random(in: -1...TokenID(tokenizer.vocabularyCount), using: &generator)
      }
      for skips in [true, false] {
        expectEqual(
          streamed(ids, tokenizer, skipSpecialTokens: skips), tokenizer.decode(ids, skipSpecialTokens: skips),
          "\(ids)")
      }
    }
  }

  @Test func charactersAcrossTokensAreHeldBack() throws {
    let tokenizer = try Fixture.tokenizer("gpt2")
    let ids = try ["ð", "Ł", "¦", "Ĭ"].map { try #require(tokenizer.tokenID(for: $0)) }
    var decoder = StreamDecoder(tokenizer)
    #expect(ids.map { decoder.feed($0) } == ["", "", "", "🦊"])
    #expect(decoder.finish() == "")
    #expect(decoder.feed(ids[0]) == "")
    #expect(decoder.finish() == "\u{FFFD}")
  }

  @Test func fallbackBytesAreHeldBackUntilTheirRunEnds() throws {
    let tokenizer = try Fixture.tokenizer("llama2")
    let ids = try ["▁", "<0xF0>", "<0x9F>", "<0xA6>", "<0x8A>", "a"].map {
      try #require(tokenizer.tokenID(for: $0))
    }
    var decoder = StreamDecoder(tokenizer)
    #expect(ids.map { decoder.feed($0) } == ["", "", "", "", "", "🦊a"])
    // One byte short, every byte of the run is invalid, as in the reference.
    #expect(streamed(Array(ids[1..<4]), tokenizer) == "\u{FFFD}\u{FFFD}\u{FFFD}")
  }

  @Test func leadingSpaceIsRemovedOnce() throws {
    let tokenizer = try Fixture.tokenizer("llama2")
    let space = try #require(tokenizer.tokenID(for: "▁"))
    let letter = try #require(tokenizer.tokenID(for: "a"))
    #expect(tokenizer.decode([space, space, letter, space]) == " a ")
    var decoder = StreamDecoder(tokenizer)
    #expect([space, letter, space].map { decoder.feed($0) } == ["", "a", " "])
  }
}

extension SystemRandomNumberGenerator {
  /// SplitMix64.
  struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
      return z ^ z >> 31
    }
  }
}
