import Testing

@testable import Generation

/// How many tokens are verified together, by made-up costs.
@Suite struct BlockEconomyTests {
  /// Lengths of blocks whose draws take a second each.
  ///
  /// - Parameters:
  ///   - verify: seconds by length.
  ///   - right: how many tokens are right of so many, in the block of that index.
  private func lengths(
    _ blocks: Int, largest: Int = 16, verify: (Int) -> Double, right: (Int, Int) -> Int
  ) -> [Int] {
    var economy = BlockEconomy(largest: largest)
    return (0..<blocks).map { index in
      let length = economy.length
      economy.note(
        drawn: length, Double(length), verified: length, verify(length), right: right(length, index))
      return length
    }
  }

  @Test func lengthsDoubleUntilAllWereMet() {
    let lengths = lengths(6, verify: { _ in 4 }, right: { length, _ in length })
    #expect(lengths == [4, 8, 16, 16, 16, 16])
    #expect(self.lengths(3, largest: 5, verify: { _ in 4 }, right: { length, _ in length }) == [4, 5, 5])
    #expect(self.lengths(2, largest: 1, verify: { _ in 4 }, right: { _, _ in 0 }) == [1, 1])
  }

  /// Where passes cost as much for each token, nothing is gained by long blocks and something is lost by a mismatch.
  @Test func lengthsFollowFromCosts() {
    let proportional = lengths(
      40, verify: { Double($0) }, right: { length, index in index < 20 ? length : length / 2 })
    #expect(proportional.last! < 16)
    // Passes that cost a lot are shared by as many as possible, though each block is wrong half way.
    let constant = lengths(40, verify: { _ in 100 }, right: { length, _ in length / 2 })
    #expect(constant.last == 16)
    // Nothing but a wrong first token: each more is in vain.
    let vain = lengths(600, verify: { 1 + 0.1 * Double($0) }, right: { _, _ in 0 })
    #expect(vain.last == 1)
  }

  /// Ends of texts tell nothing about blocks.
  @Test func otherLengthsDoNotCount() {
    var economy = BlockEconomy(largest: 16)
    economy.note(drawn: 3, 3, verified: 3, 100, right: 3)
    #expect(economy.length == 4)
  }
}
