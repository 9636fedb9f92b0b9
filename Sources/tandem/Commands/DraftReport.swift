import Foundation
import Generation
import Reports

/// What drafting did for a text.
struct DraftReport: Encodable {
  /// The same text without drafts, in the same process.
  struct Comparison: Encodable {
    let plainTokensPerSecond: Double
    /// Times as fast, by the clock.
    let speedUp: Double
    /// What the formula of speculative decoding gives for acceptance and times of this run.
    let predictedSpeedUp: Double
    let sameText: Bool

    init(_ drafted: TextGenerator.Output, _ plain: TextGenerator.Output) {
      plainTokensPerSecond = plain.statistics.decodeTokensPerSecond
      speedUp =
        plainTokensPerSecond > 0 ? drafted.statistics.decodeTokensPerSecond / plainTokensPerSecond : 0
      predictedSpeedUp = drafted.statistics.draft.predictedSpeedUp(
        plain: plainTokensPerSecond > 0 ? 1 / plainTokensPerSecond : 0)
      sameText = drafted.tokens == plain.tokens
    }
  }

  struct Seconds: Encodable {
    let small: Double, large: Double, refresh: Double, head: Double, sampling: Double, rollBack: Double
  }

  let kind: String
  let tokensPerLargePass: Double
  /// The probability that a token stays whose predecessors in the draft do.
  let acceptance: Double
  /// By place in the draft, the share of tokens that stayed.
  let acceptedAt: [Double]
  /// Of drafts that were not verified: tokens that the model would have drawn too, and their shares by place.
  let right: Int?
  let rightAt: [Double]?
  /// Passes by the length of their drafts, 0 and more.
  let blockLengths: [Int]
  let seconds: Seconds
  let comparison: Comparison?

  init(
    _ kind: Drafting.Kind, isVerified: Bool, _ statistics: DraftStatistics, _ comparison: Comparison?
  ) {
    func shares(_ counts: [Int]) -> [Double] {
      zip(counts, statistics.draftedAt).prefix { $1 > 0 }.map { Double($0) / Double($1) }
    }
    self.kind = kind.rawValue
    self.comparison = comparison
    (tokensPerLargePass, acceptance) = (statistics.tokensPerPass, statistics.acceptance)
    acceptedAt = shares(statistics.acceptedAt)
    right = isVerified ? nil : statistics.right
    rightAt = isVerified ? nil : shares(statistics.rightAt)
    blockLengths =
      statistics.lengths.indices.last { statistics.lengths[$0] > 0 }
      .map { Array(statistics.lengths[...$0]) } ?? []
    let seconds = statistics.seconds
    self.seconds = Seconds(
      small: seconds.small, large: seconds.large, refresh: seconds.refresh, head: seconds.head,
      sampling: seconds.sampling, rollBack: seconds.rollBack)
  }

  /// Lines of `--stats`.
  func text(_ statistics: DraftStatistics) -> String {
    let shares = (rightAt ?? acceptedAt).map { String(format: "%.0f", $0 * 100) }
    var text = String(
      format: "draft    %@: %d of %d tokens %@ in %d passes, %.2f tokens per pass\n", kind,
      statistics.accepted, statistics.drafted, right == nil ? "accepted" : "kept unverified",
      statistics.largePasses, tokensPerLargePass)
    if let right { text += "  of these \(right) are what the model would have drawn\n" }
    if !shares.isEmpty {
      text += "  \(right == nil ? "accepted" : "the model's") by place, %: \(shares.joined(separator: " "))\n"
    }
    let lengths = blockLengths.enumerated().filter { $1 > 0 }.map { "\($0): \($1)" }
    text += "  passes by length of draft: \(lengths.joined(separator: ", "))\n"
    let parts = [
      ("small", seconds.small), ("large", seconds.large), ("refresh", seconds.refresh),
      ("head", seconds.head),
      ("sampling", seconds.sampling), ("roll-back", seconds.rollBack),
    ]
    text += "  ms: " + parts.map { String(format: "%@ %.1f", $0, $1 * 1000) }.joined(separator: ", ") + "\n"
    guard let comparison else { return text }
    return text
      + String(
        format: "  %.2f times as fast as without drafts (%.1f tokens/s, %@ text); predicted %.2f\n",
        comparison.speedUp, comparison.plainTokensPerSecond, comparison.sameText ? "the same" : "ANOTHER",
        comparison.predictedSpeedUp)
  }
}
