import Foundation
import Generation
import Tensors

/// A mean that `tandem eval` prints, with what is known of its error.
struct EvalEstimate: Encodable {
  let mean: Double
  let standardError: Double
  /// With 95 % confidence.
  let low: Double
  let high: Double

  /// - Parameter isShare: whether the numbers lie in 0...1.
  init(_ mean: RunningMean, isShare: Bool = false) {
    (self.mean, standardError) = (mean.mean, mean.standardError)
    let interval = isShare ? mean.shareInterval : mean.interval
    (low, high) = (interval.lowerBound, interval.upperBound)
  }
}

/// What `tandem eval --unverified` prints.
struct DraftScoreReport: Encodable {
  let plan: String
  let unverified: Int
  let tokens: Int
  let perplexity: Double
  let perplexityStandardError: Double
  /// Where the small model predicts: its perplexity, and that of the large model on the same tokens.
  let draftedTokens: Int
  let draftedPerplexity: Double
  let largePerplexity: Double
  let meanKl: EvalEstimate
  let top1Agreement: EvalEstimate
  let interrupted: Bool

  init(_ plan: String, _ length: Int, _ score: DraftScorer.Score, interrupted: Bool) {
    (self.plan, unverified, self.interrupted) = (plan, length, interrupted)
    (tokens, draftedTokens) = (score.loss.count, score.drafted.count)
    perplexity = exp(score.loss.mean)
    perplexityStandardError = perplexity * score.loss.standardError
    (draftedPerplexity, largePerplexity) = (exp(score.drafted.mean), exp(score.large.mean))
    (meanKl, top1Agreement) = (EvalEstimate(score.divergence), EvalEstimate(score.agreement, isShare: true))
  }

  var text: String {
    String(
      format: """
        perplexity       %10.4f +- %.4f  (%d tokens)
        of drafted ones  %10.4f, by the large model %.4f  (%d tokens)
        mean KL          %10.6f +- %.6f nats
        top-1 agreement  %10.3f +- %.3f %%

        """, perplexity, perplexityStandardError, tokens, draftedPerplexity, largePerplexity, draftedTokens,
      meanKl.mean, meanKl.standardError, top1Agreement.mean * 100, top1Agreement.standardError * 100)
  }
}
