/// Counts and times of one generation.
public struct GenerationStatistics: Sendable {
  public var promptTokens = 0
  public var generatedTokens = 0
  /// From the first prompt token fed to the first token drawn.
  public var prefillSeconds = 0.0
  /// From there to the last token drawn.
  public var decodeSeconds = 0.0
  /// Per token after the first, the time from the token before it.
  public var tokenSeconds: [Double] = []

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
