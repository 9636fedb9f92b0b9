/// How often so many tokens were left by bounds beside the candidates that reached the threshold, by powers
/// of ten.
public struct SurvivorCounts: Sendable, Equatable {
  /// Of 0, of 1-9, of 10-99, ... tokens; the last class is open.
  public private(set) var counts = [Int](repeating: 0, count: 7)

  public init() {}

  public mutating func note(_ survivors: Int) {
    var (index, limit) = (0, 1)
    while index < counts.count - 1, survivors >= limit { (index, limit) = (index + 1, limit * 10) }
    counts[index] += 1
  }

  public static func + (a: SurvivorCounts, b: SurvivorCounts) -> SurvivorCounts {
    var sum = a
    for index in sum.counts.indices { sum.counts[index] += b.counts[index] }
    return sum
  }

  /// `0`, `1-9`, `10-99`, ..., `100000-`.
  public var labels: [String] {
    var (labels, limit) = (["0"], 1)
    for index in 1..<counts.count {
      labels.append(index == counts.count - 1 ? "\(limit)-" : "\(limit)-\(limit * 10 - 1)")
      limit *= 10
    }
    return labels
  }
}
