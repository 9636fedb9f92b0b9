import Testing

@testable import Generation

@Suite struct DraftEconomyTests {
  /// The mean length of the last hundred of many drafts, at most 8 each, of which `share` is right, token by token.
  ///
  /// - Parameters:
  ///   - token: what one more token of a run costs, in runs over one token.
  ///   - proposal: what a proposal costs.
  private func length(share: Double, token: Double, proposal: Double) -> Double {
    var economy = DraftEconomy()
    var random = SplitMix(state: 1)
    let guess = Proposal(token: 0, confidence: 0.5)
    var lengths: [Int] = []
    for _ in 0..<400 {
      economy.begin()
      var count = 0
      while count < 8, count == 0 || economy.goesOn(), economy.accepts(guess) { count += 1 }
      var right = 0
      while right < count, random.uniform() < share { right += 1 }
      for place in 0..<min(count, right + 1) { economy.note(guess, isRight: place < right) }
      economy.note(proposals: count, seconds: Double(count) * proposal)
      let run = 1 + token * Double(count)
      economy.note(run: count + 1, run, settled: right + 1, seconds: run + Double(count) * proposal)
      lengths.append(count)
    }
    return Double(lengths.suffix(100).reduce(0, +)) / 100
  }

  @Test func lengthFollowsAcceptance() {
    let (never, half, always) = (
      length(share: 0, token: 0.1, proposal: 0.05), length(share: 0.5, token: 0.1, proposal: 0.05),
      length(share: 1, token: 0.1, proposal: 0.05)
    )
    #expect(never < 1 && always > 7 && never < half && half < always)
  }

  @Test func lengthFollowsCosts() {
    let cheap = length(share: 0.7, token: 0.02, proposal: 0.02)
    #expect(cheap > 1.5 * length(share: 0.7, token: 0.2, proposal: 0.02))
    #expect(cheap > 1.5 * length(share: 0.7, token: 0.02, proposal: 0.2))
  }
}
