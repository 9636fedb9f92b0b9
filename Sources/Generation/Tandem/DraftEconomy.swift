/// Decides how long a draft gets: it goes on as long as one more token is expected to pay for itself.
///
/// With r the tokens per second so far, s the probability that all tokens of the draft up to and including the next
/// one are right, c the seconds of drafting it and T(m) those of a run over m tokens, it pays when
///
///     s > r (c + T(m + 1) - T(m))
///
/// s is a product over the draft of how often tokens of that confidence were right so far; T is a line through
/// the runs so far. All of it is known before the token is verified, and a verified text does not depend on it. Of drafts
/// that nobody verifies all tokens stay, which is what counts as right.
///
/// - Source: the cost model of papers.md, 2.10; thresholds on confidence as in 4.5 (Kangaroo, BiLD).
struct DraftEconomy {
  private var run = CostLine()
  /// Seconds of one proposal, and of one token of the text; running means.
  private var proposalSeconds = FadingMean(weight: 16), tokenSeconds = FadingMean(weight: 16)
  /// Right and all proposals by confidence.
  private var right: [Float], all: [Float]
  private var survival: Float = 1

  private static let classCount = 16
  /// Proposals that the confidence itself counts for.
  private static let prior: Float = 4
  /// Share of what was learned that stays from draft to draft.
  private static let memory: Float = 1 - 1 / 128

  init() {
    all = Array(repeating: Self.prior, count: Self.classCount)
    right = (0..<Self.classCount).map { Self.prior * Self.midpoint($0) }
  }

  private static func index(_ confidence: Float) -> Int {
    max(0, min(classCount - 1, Int(confidence * Float(classCount))))
  }

  /// Starts a draft. What was learned fades, so that proposals that did not pay are tried again.
  mutating func begin() {
    survival = 1
    for index in all.indices {
      let assumed = Self.prior * Self.midpoint(index)
      right[index] = assumed + Self.memory * (right[index] - assumed)
      all[index] = Self.prior + Self.memory * (all[index] - Self.prior)
    }
  }

  private static func midpoint(_ index: Int) -> Float { (Float(index) + 0.5) / Float(classCount) }

  /// Whether a run takes a proposal along as the next token of the draft.
  mutating func accepts(_ proposal: Proposal) -> Bool {
    let index = Self.index(proposal.confidence)
    survival *= right[index] / all[index]
    return isWorth(survival, run.slope)
  }

  /// Whether another token is drafted.
  func goesOn() -> Bool { isWorth(survival, run.slope + proposalSeconds.value) }

  private func isWorth(_ probability: Float, _ seconds: Double) -> Bool {
    Double(probability) * tokenSeconds.value >= seconds
  }

  // MARK: What happened

  mutating func note(_ proposal: Proposal, isRight: Bool) {
    let index = Self.index(proposal.confidence)
    all[index] += 1
    if isRight { right[index] += 1 }
  }

  mutating func note(proposals: Int, seconds: Double) {
    if proposals > 0 { proposalSeconds.add(seconds / Double(proposals)) }
  }

  /// - Parameter settled: tokens that the run settled, of `tokens` that it took, in `seconds` of which the run
  ///   itself took `running`.
  mutating func note(run tokens: Int, _ running: Double, settled: Int, seconds: Double) {
    run.add(tokens, running)
    tokenSeconds.add(seconds / Double(settled))
  }
}

/// A mean that forgets.
struct FadingMean {
  /// Numbers that it remembers.
  let weight: Double
  private(set) var value = 0.0
  /// How many numbers count, at most ``weight``.
  private(set) var count = 0.0

  init(weight: Double) { self.weight = weight }

  mutating func add(_ number: Double) {
    count = min(count + 1, weight)
    value += (number - value) / count
  }
}

/// The seconds of runs as a line over their tokens, by least squares that forget.
struct CostLine {
  private var count = 0.0, tokens = 0.0, squares = 0.0, seconds = 0.0, products = 0.0

  private static let memory = 1 - 1.0 / 64
  /// Of a token more, as a share of a run, until runs of several lengths tell; and what that counts for.
  private static let (assumed, prior) = (0.05, 4.0)

  mutating func add(_ size: Int, _ time: Double) {
    let x = Double(size)
    count = count * Self.memory + 1
    tokens = tokens * Self.memory + x
    squares = squares * Self.memory + x * x
    seconds = seconds * Self.memory + time
    products = products * Self.memory + x * time
  }

  /// Seconds of one token more.
  var slope: Double {
    guard count > 0 else { return 0 }
    let (x, y) = (tokens / count, seconds / count)
    let spread = squares - count * x * x
    let assumed = Self.assumed * y / (1 + Self.assumed * (x - 1))
    return max(0, (products - count * x * y + Self.prior * assumed) / (spread + Self.prior))
  }
}
