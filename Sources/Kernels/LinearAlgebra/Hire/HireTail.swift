#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The sum of exponentials over a vocabulary, from what the stages of a HiRE head see of it.
///
/// With S the sum of exp(logit) over candidates, s that of exp(score) over survivors that are no candidates,
/// and T that of exp(logit) over all tokens that are none:
///
///     log(T^ / S) = bias + slope log(s / S)
///     log Z^      = log(S + T^)
///
/// A bias of 0 and a slope of 1 take the scores for logits and leave out what did not survive. Where the
/// distribution is peaked hardly anything is missed, where it is flat much: an equal share for all tokens
/// would be too large for most and too small for the rest.
public struct HireTail: Equatable, Sendable {
  public var bias: Float
  /// Above 0.
  public var slope: Float

  public init(bias: Float, slope: Float) { (self.bias, self.slope) = (bias, slope) }

  /// log Z^ of log S and log s.
  func logNormalizer(candidates: Float, others: Float) -> Float {
    let odds = bias + slope * (others - candidates)
    return candidates + max(odds, 0) + log1p(exp(-odds.magnitude))
  }
}
