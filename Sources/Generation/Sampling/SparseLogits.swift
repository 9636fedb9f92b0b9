#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The logits of a few tokens, the likeliest as far as a predictor can tell, and what all tokens weigh together.
public struct SparseLogits {
  public let logits: UnsafeBufferPointer<Float>
  /// The token of each logit; -1 for a place without one, whose logit is minus infinity.
  public let tokens: UnsafeBufferPointer<Int32>
  /// An estimate of log(sum of exp(logit)) over the whole vocabulary.
  public let logNormalizer: Float

  public init(
    logits: UnsafeBufferPointer<Float>, tokens: UnsafeBufferPointer<Int32>, logNormalizer: Float
  ) {
    precondition(logits.count == tokens.count && !logits.isEmpty, "one token per logit, and at least one")
    (self.logits, self.tokens, self.logNormalizer) = (logits, tokens, logNormalizer)
  }

  var row: LogitRow { LogitRow(logits: logits, tokens: tokens.baseAddress) }

  /// Tokens in the list, and the smallest of their logits.
  var extent: (count: Int, least: Float) {
    var (count, least) = (0, Float.infinity)
    for place in 0..<tokens.count where tokens[place] >= 0 {
      count += 1
      least = min(least, logits[place])
    }
    return (count, least)
  }

  /// The probability of all tokens that are not listed, by the estimate.
  ///
  ///     max(0, 1 - sum over the list of exp(logit - logNormalizer))
  var massBeyond: Double {
    var sum = 0.0
    for place in 0..<logits.count { sum += exp(Double(logits[place]) - Double(logNormalizer)) }
    return max(0, 1 - sum)
  }
}
