/// Chooses how many tokens are drawn from candidates before they are verified: the number with the fewest expected
/// seconds per token that stays.
///
///     seconds(m) = (m d + V(m)) / E(m),    E(m) = 1 + (1 - p) + ... + (1 - p)^(m - 1)
///
/// with d the seconds of a draw, V(m) those of verifying m tokens, and p the share of tokens that were replaced. A
/// block ends with the first of these, so E(m) tokens of it stay. d, V and p are means of what was measured. Lengths
/// double from the first block on until all were met; V of one that was not met is that of the next longer one.
///
/// A verified text does not depend on lengths.
struct BlockEconomy {
  private let lengths: [Int]
  /// V, by length.
  private var verifying: [FadingMean]
  private var draw = FadingMean(weight: 64)
  private var wrong = FadingMean(weight: 512)
  /// How many of the lengths were met, or are too short to begin with.
  private var met: Int
  /// Tokens to be drawn in the next block.
  private(set) var length: Int

  /// The length of the first block.
  private static let first = 4
  /// Tokens, all right, that the first ones are counted with.
  private static let prior = 64

  /// - Parameter largest: the most tokens of a block, at least 1.
  init(largest: Int) {
    var lengths: [Int] = []
    var length = 1
    while length < largest {
      lengths.append(length)
      length *= 2
    }
    lengths.append(largest)
    self.lengths = lengths
    verifying = Array(repeating: FadingMean(weight: 16), count: lengths.count)
    met = lengths.firstIndex { $0 >= Self.first } ?? lengths.count - 1
    self.length = lengths[met]
    for _ in 0..<Self.prior { wrong.add(0) }
  }

  /// - Parameters:
  ///   - drawn: tokens that were drawn from candidates.
  ///   - verified: hidden states that were verified: one more where candidates could not tell.
  ///   - right: how many of the tokens were right, up to the first that was replaced.
  mutating func note(
    drawn: Int, _ drawSeconds: Double, verified: Int, _ verifySeconds: Double, right: Int
  ) {
    if verified > 0 { draw.add(drawSeconds / Double(verified)) }
    for _ in 0..<right { wrong.add(0) }
    if right < drawn { wrong.add(1) }
    // Ends of texts have lengths of their own.
    for index in lengths.indices where lengths[index] == verified {
      verifying[index].add(verifySeconds)
      if index == met { met += 1 }
      length = met < lengths.count ? lengths[met] : cheapest
    }
  }

  private var cheapest: Int {
    var (best, least, longer) = (lengths[lengths.count - 1], Double.infinity, 0.0)
    for back in 1...lengths.count {
      let index = lengths.count - back
      if verifying[index].count > 0 { longer = verifying[index].value }
      let count = Double(lengths[index])
      var (stay, right) = (0.0, 1.0)
      for _ in 0..<lengths[index] {
        stay += right
        right *= 1 - wrong.value
      }
      let seconds = (count * draw.value + longer) / stay
      if seconds < least { (best, least) = (lengths[index], seconds) }
    }
    return best
  }
}
