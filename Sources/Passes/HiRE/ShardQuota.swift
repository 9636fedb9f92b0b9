#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is lost when the best of all rows are taken as the best of each shard (DA-TOP-k; HiRE, section 3.4).
///
/// Rows lie in n shards at random. The one with r better ones among all rows is among the q best of its shard when at
/// most q - 1 of those r are in the same shard:
///
///     P(kept) = sum over i < q of C(r, i) (1/n)^i (1 - 1/n)^(r - i)
struct ShardQuota {
  let shards: Int
  let quota: Int

  /// The probability that the row with `rank` better ones is kept.
  func keeps(rank: Int) -> Double {
    if rank < quota { return 1 }
    let (p, r) = (1 / Double(shards), Double(rank))
    if shards == 1 { return 0 }
    let (mean, variance) = (r * p, r * p * (1 - p))
    // Far from the border the sum needs no computing, and with many terms the normal approximation is as good.
    let distance = (Double(quota) - 0.5 - mean) / variance.squareRoot()
    if distance > 8 { return 1 }
    if distance < -8 { return 0 }
    if mean > 64 { return 0.5 * erfc(-distance / 2.0.squareRoot()) }
    var term = exp(r * log1p(-p))
    var sum = term
    for i in 1..<max(quota, 1) {
      term *= (r - Double(i) + 1) / Double(i) * p / (1 - p)
      sum += term
    }
    return min(1, sum)
  }

  /// ``keeps(rank:)`` of ranks below `count`; later ones are as good as lost.
  func table(_ count: Int) -> [Double] { (0..<count).map { keeps(rank: $0) } }
}
