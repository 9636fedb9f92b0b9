/// Tokens that may still be drawn, with their logits, in memory that is allocated once.
struct CandidateSet: ~Copyable {
  struct Candidate: BitwiseCopyable {
    var logit: Float
    var token: Int32
    /// In proportion to the probability; set by ``weigh(_:)``.
    var mass: Float = 0

    /// The order of preference: larger logits first, of equal ones smaller ids.
    @inline(__always)
    func precedes(_ other: Candidate) -> Bool {
      logit > other.logit || (logit == other.logit && token < other.token)
    }
  }

  private let base: UnsafeMutablePointer<Candidate>
  private let capacity: Int
  private(set) var count = 0

  /// Memory is touched only as far as the set ever grows.
  init(capacity: Int) {
    self.capacity = max(1, capacity)
    base = .allocate(capacity: self.capacity)
  }

  deinit { base.deallocate() }

  subscript(index: Int) -> Candidate { base[index] }

  mutating func removeAll() { count = 0 }

  @inline(__always)
  mutating func append(_ logit: Float, _ token: Int) {
    precondition(count < capacity, "more candidates than tokens")
    base[count] = Candidate(logit: logit, token: Int32(truncatingIfNeeded: token))
    count &+= 1
  }

  // MARK: The k best

  /// Makes this the `k` preferred tokens of a row: a heap whose root is the least preferred one.
  mutating func select(_ k: Int, of row: LogitRow) {
    count = 0
    let isOrdered = row.tokens == nil
    row.forEach(from: -.infinity) { token, logit in
      let candidate = Candidate(logit: logit, token: Int32(truncatingIfNeeded: token))
      if count < k {
        append(logit, token)
        if count == k { for index in stride(from: k / 2, through: 0, by: -1) { sink(index) } }
      } else if candidate.precedes(base[0]) {
        base[0] = candidate
        sink(0)
      }
      // Where later tokens have larger ids, an equal logit does not enter.
      return count < k ? -.infinity : isOrdered ? base[0].logit.nextUp : base[0].logit
    }
  }

  /// Brings the `k` preferred tokens, as ``select(_:of:)`` left them, in order.
  mutating func sortSelected() {
    for end in stride(from: count - 1, to: 0, by: -1) {
      swap(0, end)
      sink(0, end)
    }
  }

  private func sink(_ start: Int) { sink(start, count) }

  /// Moves an element down the heap of the first `count`.
  private func sink(_ start: Int, _ count: Int) {
    var index = start
    while true {
      var child = 2 &* index &+ 1
      guard child < count else { return }
      if child &+ 1 < count, base[child].precedes(base[child &+ 1]) { child &+= 1 }
      guard base[index].precedes(base[child]) else { return }
      (base[index], base[child]) = (base[child], base[index])
      index = child
    }
  }

  // MARK: The preferred ones that make up a mass

  /// Sets the mass of each candidate from `first` on and returns the sum.
  @discardableResult
  func weigh(from first: Int = 0, _ mass: (Float) -> Float) -> Double {
    var total = 0.0
    for index in first..<count {
      base[index].mass = mass(base[index].logit)
      total += Double(base[index].mass)
    }
    return total
  }

  /// Of the candidates from `first` on, keeps the shortest run of preferred ones whose masses reach `target`; all if
  /// they do not. At least one candidate remains.
  ///
  /// Quickselect by mass. Invariant: everything in `first..<low` is kept and preferred to everything from `low` on;
  /// everything from `high` on is dropped, unless `high` is the end.
  ///
  /// 1. Partition `low..<high` around a pivot: those that precede it, the pivot, the rest.
  /// 2. If those before the pivot reach the target, go on among them.
  /// 3. Else keep them and the pivot; done if that reaches the target, else go on among the rest.
  ///
  /// - Complexity: linear in the number of candidates on average.
  mutating func keepPreferred(from first: Int = 0, reaching target: Double) {
    var (low, high) = (first, count)
    var kept = 0.0
    while low < high {
      let (pivot, before) = partition(low, high)
      if pivot > low, kept + before >= target {
        high = pivot
        continue
      }
      kept += before + Double(base[pivot].mass)
      low = pivot &+ 1
      if kept >= target { break }
    }
    count = max(min(count, 1), low)
  }

  /// - Returns: where the pivot ended up, and the mass of those before it.
  private func partition(_ low: Int, _ high: Int) -> (pivot: Int, before: Double) {
    swap(medianOfThree(low, low &+ (high &- low) / 2, high &- 1), high &- 1)
    let pivot = base[high &- 1]
    var (end, mass) = (low, 0.0)
    for index in low..<(high &- 1) where base[index].precedes(pivot) {
      mass += Double(base[index].mass)
      swap(index, end)
      end &+= 1
    }
    swap(end, high &- 1)
    return (end, mass)
  }

  private func medianOfThree(_ a: Int, _ b: Int, _ c: Int) -> Int {
    if base[a].precedes(base[b]) {
      return base[b].precedes(base[c]) ? b : base[a].precedes(base[c]) ? c : a
    }
    return base[a].precedes(base[c]) ? a : base[b].precedes(base[c]) ? c : b
  }

  @inline(__always)
  private func swap(_ a: Int, _ b: Int) { (base[a], base[b]) = (base[b], base[a]) }
}
