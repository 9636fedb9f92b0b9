import Testing

@testable import Tokenization

@Suite struct DecoderStageTests {
  private func run(_ steps: [DecoderStep], _ tokens: [String]) -> [String] {
    var isJoined = false
    var tokens = tokens.map { Array($0.utf8) }
    for step in steps {
      var stage = DecoderStage(step, isJoined: isJoined)
      var result: [[UInt8]] = []
      for token in tokens { result += stage.feed(token) }
      tokens = result + stage.finish()
      isJoined = isJoined || step.joinsTokens
    }
    return tokens.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func stripWorksOnEachToken() {
    let strip = DecoderStep.strip(content: Array("H".utf8), start: 1, stop: 0)
    #expect(run([strip], ["Hey", " friend!", "HHH"]) == ["ey", " friend!", "HH"])
    #expect(
      run([.strip(content: Array("y".utf8), start: 0, stop: 1)], ["Hey", " friend!"]) == ["He", " friend!"])
  }

  @Test func stripWorksOnTheJoinedText() {
    let strip = DecoderStep.strip(content: Array("é".utf8), start: 2, stop: 2)
    #expect(run([.fuse, strip], ["é", "", "éé", "aé", "ébé", "é", "é"]).joined() == "éaéébé")
    #expect(run([.fuse, strip], ["éé", "é"]).joined() == "")
  }

  @Test func joinedReplacementSeesAcrossTokens() {
    let replace = DecoderStep.replace(.literal(Array("ab".utf8)), with: Array("X".utf8))
    #expect(run([replace], ["a", "b", "ab"]).joined() == "abX")
    #expect(run([.fuse, replace], ["a", "b", "ab"]).joined() == "XX")
  }

  @Test func tokensWithoutDecoderAreSeparated() {
    #expect(run([.separate], ["a", "b", "c"]).joined() == "a b c")
  }

  @Test func metaspaceDropsTheFirstMark() {
    let mark = Array("▁".utf8)
    #expect(run([.metaspace(replacement: mark, dropsFirst: true)], ["▁a", "▁b"]).joined() == "a b")
    #expect(run([.metaspace(replacement: mark, dropsFirst: false)], ["▁a", "▁b"]).joined() == " a b")
  }

  @Test func oddFallbackTokensAreText() {
    #expect(
      run([.byteFallback], ["<0x4G>", "<0x41>", "<0x-1>", "<0xe2>"]).joined() == "<0x4G>A<0x-1>\u{FFFD}")
  }
}
