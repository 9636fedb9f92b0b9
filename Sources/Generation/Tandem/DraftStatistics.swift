#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What drafting did in one generation.
public struct DraftStatistics: Sendable {
  /// Runs of the decoder that verified a draft or gave a token alone.
  public var largePasses = 0
  /// Tokens that a run took as its draft, and of them those that stayed.
  public var drafted = 0
  public var accepted = 0
  /// Tokens whose predecessors in the draft stayed.
  public var checked = 0
  /// Tokens that the decoder draws too, and so all before them in the draft: those that stay of drafts that are verified.
  public var right = 0
  /// By place in the draft, the same.
  public var draftedAt = [Int](repeating: 0, count: BlockLength.largest)
  public var acceptedAt = [Int](repeating: 0, count: BlockLength.largest)
  public var rightAt = [Int](repeating: 0, count: BlockLength.largest)
  /// Passes by the tokens of their drafts, 0 and more.
  public var lengths = [Int](repeating: 0, count: BlockLength.largest + 1)
  /// Seconds by what took them; the head's are not part of the large model's.
  public var seconds = Seconds()

  public struct Seconds: Sendable {
    public var small = 0.0, large = 0.0, refresh = 0.0, head = 0.0, sampling = 0.0, rollBack = 0.0

    public init() {}

    public var total: Double { small + large + refresh + head + sampling + rollBack }
  }

  public init() {}

  mutating func note(drafted count: Int, accepted kept: Int, right: Int) {
    largePasses += 1
    drafted += count
    accepted += kept
    checked += min(count, kept + 1)
    self.right += right
    lengths[count] += 1
    for place in 0..<count { draftedAt[place] += 1 }
    for place in 0..<kept { acceptedAt[place] += 1 }
    for place in 0..<right { rightAt[place] += 1 }
  }

  /// Adds what another generation did.
  mutating func add(_ other: DraftStatistics) {
    func add(_ counts: inout [Int], _ others: [Int]) {
      for place in counts.indices { counts[place] += others[place] }
    }
    largePasses += other.largePasses
    drafted += other.drafted
    accepted += other.accepted
    checked += other.checked
    right += other.right
    add(&draftedAt, other.draftedAt)
    add(&acceptedAt, other.acceptedAt)
    add(&rightAt, other.rightAt)
    add(&lengths, other.lengths)
    seconds.small += other.seconds.small
    seconds.large += other.seconds.large
    seconds.refresh += other.seconds.refresh
    seconds.head += other.seconds.head
    seconds.sampling += other.seconds.sampling
    seconds.rollBack += other.seconds.rollBack
  }

  /// Each pass gives one token beside those of its draft.
  public var tokensPerPass: Double {
    largePasses > 0 ? Double(accepted + largePasses) / Double(largePasses) : 0
  }

  /// The probability that a token stays whose predecessors in the draft do.
  public var acceptance: Double { checked > 0 ? Double(accepted) / Double(checked) : 0 }

  /// Tokens that a pass gives when each proposal behind right ones is right with the same probability:
  ///
  ///     (1 - a^(g + 1)) / (1 - a)
  static func expectedTokens(acceptance a: Double, length g: Double) -> Double {
    a < 1 ? (1 - pow(a, g + 1)) / (1 - a) : g + 1
  }

  /// The speed-up over plain decoding that the formula of speculative decoding gives for what was measured:
  ///
  ///     (1 - a^(g + 1)) / (1 - a) / (T(g + 1) / T(1) + g c)
  ///
  /// with acceptance a, mean draft length g, T the seconds of a run, and c those of a proposal over T(1).
  ///
  /// - Parameter plain: seconds of a token in plain decoding.
  public func predictedSpeedUp(plain: Double) -> Double {
    guard largePasses > 0, plain > 0 else { return 0 }
    let (a, g) = (acceptance, Double(drafted) / Double(largePasses))
    let large = (seconds.large + seconds.head) / Double(largePasses)
    return Self.expectedTokens(acceptance: a, length: g) * plain
      / (large + (seconds.small + seconds.refresh) / Double(largePasses))
  }
}
