/// Decides whether drafts are made at all: compares the time of a token with and without them.
///
///     with:      seconds of rounds that draft / tokens that these settle    (T(g + 1) + g c) / E(tokens)
///     without:   seconds of runs over one token                            T(1)
///
/// 1. Rounds draft; a few at first and one in ``spacing`` later do not, so that both means stay true.
/// 2. Where drafting takes longer after ``trial`` rounds, it pauses.
/// 3. After a pause it is tried again. A pause is twice as long as the one before, until drafts pay again.
///
/// So drafts that never pay cost a few rounds in ever longer texts, and a text that becomes predictable is found out.
struct DraftGate {
  private var drafted = FadingRate(), plain = FadingRate()
  /// Rounds since the last pause.
  private var rounds = 0
  /// Tokens left of a pause, and of the next one.
  private var rest = 0, pause = Self.shortest

  /// Rounds of drafts before they are judged.
  private static let trial = 4
  /// Rounds without a draft before plain runs are known, and the first rounds that have none.
  private static let (known, first) = (2, [1, 3])
  /// Rounds from one without a draft to the next.
  private static let spacing = 64
  /// Tokens of a pause.
  private static let (shortest, longest) = (32, 1024)

  /// Whether the next round drafts.
  var isOpen: Bool {
    if rest > 0 { return false }
    if plain.count < Self.known, Self.first.contains(rounds) { return false }
    return rounds % Self.spacing != Self.spacing - 1
  }

  /// - Parameters:
  ///   - hasDrafted: whether something was proposed, be it only to be dropped.
  ///   - tokens: those that the round settled.
  mutating func note(hasDrafted: Bool, tokens: Int, seconds: Double) {
    if hasDrafted { drafted.add(tokens, seconds) } else { plain.add(tokens, seconds) }
    guard rest == 0 else {
      rest = max(0, rest - tokens)
      if rest == 0 { (rounds, drafted) = (0, FadingRate()) }
      return
    }
    rounds += 1
    guard drafted.count >= Self.trial, plain.count >= Self.known else { return }
    if drafted.value > plain.value {
      (rest, pause) = (pause, min(2 * pause, Self.longest))
    } else if drafted.count > 4 * Self.trial {
      pause = Self.shortest
    }
  }
}

/// Seconds per token, as a quotient of sums that forget.
struct FadingRate {
  private(set) var count = 0
  private var tokens = 0.0, seconds = 0.0

  private static let memory = 1 - 1.0 / 16
  /// Times the mean that one round counts for at most: the machine may have been elsewhere.
  private static let largest = 4.0

  var value: Double { tokens > 0 ? seconds / tokens : 0 }

  mutating func add(_ tokens: Int, _ seconds: Double) {
    let limit = count > 0 ? Self.largest * value * Double(tokens) : .infinity
    count += 1
    self.tokens = self.tokens * Self.memory + Double(tokens)
    self.seconds = self.seconds * Self.memory + min(seconds, limit)
  }
}
