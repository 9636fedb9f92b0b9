/// Counts and times of one generation.
public struct GenerationStatistics: Sendable {
  public var promptTokens = 0
  public var generatedTokens = 0
  /// From the first prompt token fed to the first token drawn.
  public var prefillSeconds = 0.0
  /// From there to the last token drawn.
  public var decodeSeconds = 0.0
  /// Per token after the first, the time from the token before it; tokens that are settled together share theirs.
  public var tokenSeconds: [Double] = []
  /// Runs of the dense head over kept hidden states.
  public var verifiedPasses = 0
  /// Tokens drawn from candidates that the dense head replaced.
  public var mismatches = 0
  /// Tokens drawn in vain: after one that was replaced, or after the end.
  public var discardedTokens = 0
  /// Tokens that the dense head drew because the candidates could not tell.
  public var denseFallbacks = 0
  /// Of these, those that bounds left more tokens for than fit.
  public var overflows = 0
  /// Tokens that bounds left to be computed exactly beside the candidates, by draw.
  public var survivors = SurvivorCounts()

  /// What drafting did; nothing where nobody drafted.
  public var draft = DraftStatistics()

  /// Adds what a HiRE head did in another generation.
  mutating func addCounts(of other: GenerationStatistics) {
    verifiedPasses += other.verifiedPasses
    mismatches += other.mismatches
    discardedTokens += other.discardedTokens
    denseFallbacks += other.denseFallbacks
    overflows += other.overflows
    survivors = survivors + other.survivors
  }

  public var prefillTokensPerSecond: Double { Self.rate(promptTokens, prefillSeconds) }

  /// The first token comes out of prefill, so it does not count.
  public var decodeTokensPerSecond: Double { Self.rate(tokenSeconds.count, decodeSeconds) }

  /// The time within which a share of the tokens came, by nearest rank; 0 when there is none.
  public func tokenSeconds(percentile: Double) -> Double {
    guard !tokenSeconds.isEmpty else { return 0 }
    let rank = Int((percentile / 100 * Double(tokenSeconds.count)).rounded(.up)) - 1
    return tokenSeconds.sorted()[min(max(rank, 0), tokenSeconds.count - 1)]
  }

  private static func rate(_ count: Int, _ seconds: Double) -> Double {
    seconds > 0 ? Double(count) / seconds : 0
  }
}
