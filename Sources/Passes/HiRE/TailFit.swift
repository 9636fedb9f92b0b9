import Kernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Fits the estimate of what tokens that are no candidates add to the normalizer (see ``HireTail``).
///
/// All tokens that are no candidates are one event of probability p = T / (S + T), which a head says is
/// q = 1 / (1 + exp(-bias - slope x)) with x = log(s / S). Logits of candidates are exact, so
///
///     KL(dense || head) = p log(p / q) + (1 - p) log((1 - p) / (1 - q))
///
/// whose mean is least for the parameters of a logistic regression with shares for labels. Newton's method
/// finds them.
struct TailFit {
  /// What a head sees of a hidden state, and what there is.
  struct Observation {
    /// log(s / S)
    let seen: Double
    /// log(T / S)
    let actual: Double

    /// KL(dense || head), q being at least 2^-24 as `eval` has it.
    func divergence(_ tail: HireTail) -> Double {
      let estimate = max(Double(tail.bias) + Double(tail.slope) * seen, -24 * log(2))
      let p = TailFit.share(actual)
      // log(p / q) and log((1 - p) / (1 - q)) by log odds, which lose nothing where p is small.
      let listed = (1 - p) * (TailFit.logShare(-actual) - TailFit.logShare(-estimate))
      return p > 0 ? listed + p * (TailFit.logShare(actual) - TailFit.logShare(estimate)) : listed
    }
  }

  let tail: HireTail
  /// Mean KL(dense || head) of the observations.
  let divergence: Double

  /// Weight of the squared distance from bias 0 and slope 1, so that few observations tell little.
  private static let prior = 0.01
  private static let leastSlope = 0.05

  init(_ observations: [Observation]) {
    var (bias, slope) = (0.0, 1.0)
    let seen = observations.filter { $0.seen.isFinite && $0.actual.isFinite }
    for _ in 0..<50 {
      // Gradient and matrix of second derivatives of the sum over observations.
      var (g0, g1) = (Self.prior * bias, Self.prior * (slope - 1))
      var (h00, h01, h11) = (Self.prior, 0.0, Self.prior)
      for observation in seen {
        let x = observation.seen
        let q = Self.share(bias + slope * x)
        let (difference, weight) = (q - Self.share(observation.actual), q * (1 - q))
        (g0, g1) = (g0 + difference, g1 + difference * x)
        (h00, h01, h11) = (h00 + weight, h01 + weight * x, h11 + weight * x * x)
      }
      let determinant = h00 * h11 - h01 * h01
      let (d0, d1) = ((h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant)
      // Steps of a bounded length cannot run away where shares are all but 0.
      let step = min(1, 1 / max(abs(d0), abs(d1)))
      (bias, slope) = (bias - step * d0, slope - step * d1)
      if max(abs(d0), abs(d1)) < 1e-7 { break }
    }
    let tail = HireTail(bias: Float(bias), slope: Float(max(slope, Self.leastSlope)))
    self.tail = tail
    divergence = observations.reduce(0) { $0 + $1.divergence(tail) } / Double(max(1, observations.count))
  }

  /// Of log odds.
  private static func share(_ odds: Double) -> Double { 1 / (1 + exp(-odds)) }

  /// log ``share(_:)``
  private static func logShare(_ odds: Double) -> Double { min(odds, 0) - log1p(exp(-abs(odds))) }
}
