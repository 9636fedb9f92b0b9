/// Pairs of adjacent symbols that can be merged, best first.
struct CandidateHeap {
  /// A pair as it was when it was found; later merges may have outdated it.
  struct Candidate {
    /// `rank << 32 | position` of the left symbol: lower ranks first, then from the left.
    var order: UInt64
    var left: TokenID
    var right: TokenID
    var result: TokenID
  }

  private var items: [Candidate] = []

  mutating func removeAll() { items.removeAll(keepingCapacity: true) }

  /// Adds without keeping order; ``restoreOrder()`` must follow.
  mutating func append(_ candidate: Candidate) { items.append(candidate) }

  /// - Complexity: linear in the number of candidates.
  mutating func restoreOrder() {
    var index = items.count / 2
    while index > 0 {
      index -= 1
      sink(index)
    }
  }

  mutating func push(_ candidate: Candidate) {
    items.append(candidate)
    var index = items.count - 1
    while index > 0 {
      let parent = (index - 1) / 2
      if items[parent].order <= candidate.order { break }
      items[index] = items[parent]
      index = parent
    }
    items[index] = candidate
  }

  mutating func pop() -> Candidate? {
    guard let best = items.first, let last = items.popLast() else { return nil }
    if !items.isEmpty {
      items[0] = last
      sink(0)
    }
    return best
  }

  private mutating func sink(_ start: Int) {
    let item = items[start]
    var index = start
    while true {
      var child = 2 * index + 1
      if child >= items.count { break }
      if child + 1 < items.count, items[child + 1].order < items[child].order { child += 1 }
      if item.order <= items[child].order { break }
      items[index] = items[child]
      index = child
    }
    items[index] = item
  }
}
