import Kernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The distribution that the candidates of a token stand for, all tokens that are no candidates being one event.
///
///     Z^     = the larger of the estimate of the normalizer and log(sum over candidates of exp(logit))
///     q(c)   = exp(logit(c) - Z^)
///     q(tail) = max(2^-24, 1 - sum over candidates of q(c))
///
/// Without candidates for a tail, which is when they are the whole vocabulary, q(tail) is 0.
struct CandidateRow {
  private let candidates: SparseLogits
  private let logNormalizer: Double
  private let tail: Double
  /// Tokens that are no candidates.
  private let tailCount: Int

  init(_ candidates: SparseLogits, vocabularyCount: Int) {
    self.candidates = candidates
    let maximum = Double(LogitScan.maximum(candidates.logits))
    var sum = 0.0
    for logit in candidates.logits { sum += exp(Double(logit) - maximum) }
    let listed = maximum + log(sum)
    logNormalizer = max(Double(candidates.logNormalizer), listed)
    tailCount = max(0, vocabularyCount - candidates.extent.count)
    tail = tailCount == 0 ? 0 : max(0x1p-24, 1 - exp(listed - logNormalizer))
  }

  /// -log of the probability of a token; one that is no candidate has its share of the tail.
  func loss(_ token: Int) -> Double {
    guard let place = candidates.tokens.firstIndex(of: Int32(truncatingIfNeeded: token)) else {
      return -log(tail / Double(tailCount))
    }
    return logNormalizer - Double(candidates.logits[place])
  }

  /// KL(p || q) of the distribution p of all logits.
  ///
  ///     sum over candidates of p(c) log(p(c) / q(c)) + p(tail) log(p(tail) / q(tail))
  ///     p(tail) = 1 - sum over candidates of p(c)
  func divergence(from dense: LogSoftmaxRow) -> Double {
    var (total, rest) = (0.0, 1.0)
    for (token, logit) in zip(candidates.tokens, candidates.logits) where token >= 0 {
      let logP = Double(dense[Int(token)])
      let p = exp(logP)
      rest -= p
      if p > 0 { total += p * (logP - (Double(logit) - logNormalizer)) }
    }
    if tail > 0, rest > 0 { total += rest * log(rest / tail) }
    return total
  }

  /// How far the estimate of the normalizer is from the dense one.
  func normalizerError(_ dense: LogSoftmaxRow) -> Double {
    Double(candidates.logNormalizer) - Double(dense.normalizer)
  }

  /// The candidate with the largest logit; of equal ones the smallest.
  var argmax: Int { candidates.row.likeliest(LogitScan.maximum(candidates.logits)) }

  /// Per count, the share of so many largest logits whose tokens are candidates.
  func recall(_ counts: [Int], of logits: UnsafeBufferPointer<Float>) -> [Double] {
    let listed = Set(candidates.tokens)
    return counts.map { count in
      let count = min(count, logits.count)
      var largest = CandidateSet(capacity: count)
      largest.select(count, of: LogitRow(logits: logits, tokens: nil))
      var found = 0
      for index in 0..<largest.count where listed.contains(largest[index].token) { found += 1 }
      return Double(found) / Double(count)
    }
  }
}
