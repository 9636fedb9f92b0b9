import Kernels
import Tensors

/// How far down the lists of predictors those tokens are that the logits put first.
///
/// Judged on held-out hidden states: for each, the k tokens of the largest logits W h, and for every trial the number of
/// tokens that its scores put before each of them.
struct PredictorRanks {
  /// Hidden states, and tokens of each.
  let count: Int, k: Int
  /// [count, k]: tokens by falling logit.
  private(set) var tokens: [Int32]

  private let states: Tensor
  private let weights: Tensor
  private let bias: Tensor?
  private let basis: HeadBasis
  private let pool: ThreadPool

  /// Rows of the head that a thread takes at a time.
  private static let chunk = 1024

  /// - Parameters:
  ///   - states: f32 [N, K].
  ///   - weights: f32 [V, K].
  ///   - bias: f32 [V].
  init(_ states: Tensor, _ weights: Tensor, bias: Tensor?, k: Int, basis: HeadBasis, pool: ThreadPool) {
    (self.states, self.weights, self.bias, self.basis, self.pool) = (states, weights, bias, basis, pool)
    (count, self.k) = (states.shape[0], min(k, weights.shape[0]))
    tokens = []
    findTokens()
  }

  private var width: Int { weights.shape[1] }
  private var vocabulary: Int { weights.shape[0] }
  private func numbers(_ tensor: Tensor) -> UnsafePointer<Float> {
    UnsafePointer(tensor.base.assumingMemoryBound(to: Float.self))
  }

  /// Calls `body` for pieces of the vocabulary, those of one lane in order.
  private func forEachPiece(_ body: (_ lane: Int, _ rows: Range<Int>) -> Void) {
    let (lanes, vocabulary) = (pool.threadCount, vocabulary)
    pool.forEach(lanes) { lane in
      for first in stride(from: lane * Self.chunk, to: vocabulary, by: lanes * Self.chunk) {
        body(lane, first..<min(first + Self.chunk, vocabulary))
      }
    }
  }

  // MARK: Dense logits

  private mutating func findTokens() {
    let lanes = pool.threadCount
    let heaps = UnsafeMutableBufferPointer<TopList>.allocate(capacity: lanes * count)
    heaps.initialize(repeating: TopList(capacity: k))
    let scores = UnsafeMutablePointer<Float>.allocate(capacity: lanes * count * Self.chunk)
    defer {
      heaps.deinitialize()
      heaps.deallocate()
      scores.deallocate()
    }
    let (count, width, states, weights, pool) = (count, width, numbers(states), numbers(weights), pool)
    let bias = bias.map(numbers)
    forEachPiece { lane, rows in
      let scores = scores + lane * count * Self.chunk
      LinearProduct(
        rows: count, inner: width, columns: rows.count, x: states, w: weights + rows.lowerBound * width,
        y: scores
      ).run(pool)
      for state in 0..<count {
        let row = UnsafeMutableBufferPointer(start: scores + state * rows.count, count: rows.count)
        if let bias { for index in row.indices { row[index] += bias[rows.lowerBound + index] } }
        heaps[lane * count + state].add(row, first: rows.lowerBound)
      }
    }
    tokens.reserveCapacity(count * k)
    for state in 0..<count {
      var all = heaps[state]
      for lane in 1..<max(1, lanes) { all.merge(heaps[lane * count + state]) }
      tokens += all.tokens
    }
  }

  // MARK: Trials

  /// The number of tokens that a trial puts before each of ``tokens``, [count, k].
  func ranks(_ trial: PredictorTrial) -> [Int32] {
    let (count, k, width, rank, pool) = (count, k, width, trial.rank, pool)
    let projection = basis.projection(count: rank, rotated: trial.rotated, pool)
    let mixing = basis.mixing(count: rank, rotated: trial.rotated, pool)
    let coordinates = UnsafeMutablePointer<Float>.allocate(capacity: count * rank)
    defer { coordinates.deallocate() }
    projection.withUnsafeBufferPointer {
      LinearProduct(
        rows: count, inner: width, columns: rank, x: numbers(states), w: $0.baseAddress!, y: coordinates
      ).run(pool)
    }
    for state in 0..<count { trial.roundCoordinates(coordinates + state * rank) }
    let thresholds = thresholds(trial, mixing, coordinates)
    // [lane, state, number of thresholds that a score passes]
    let lanes = pool.threadCount
    let passed = UnsafeMutablePointer<Int32>.allocate(capacity: lanes * count * (k + 1))
    passed.initialize(repeating: 0, count: lanes * count * (k + 1))
    let room = Self.chunk * (rank + count)
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: lanes * room)
    defer {
      passed.deallocate()
      memory.deallocate()
    }
    let (weights, bias) = (numbers(weights), bias.map(numbers))
    mixing.withUnsafeBufferPointer { mixing in
      thresholds.withUnsafeBufferPointer { thresholds in
        forEachPiece { lane, rows in
          let factor = memory + lane * room
          let scores = factor + Self.chunk * rank
          Self.factor(weights + rows.lowerBound * width, rows.count, width, trial, mixing, factor, pool)
          LinearProduct(rows: count, inner: rank, columns: rows.count, x: coordinates, w: factor, y: scores)
            .run(pool)
          for state in 0..<count {
            let row = UnsafeMutableBufferPointer(start: scores + state * rows.count, count: rows.count)
            if let bias { for index in row.indices { row[index] += bias[rows.lowerBound + index] } }
            Self.place(
              UnsafeBufferPointer(row),
              among: UnsafeBufferPointer(rebasing: thresholds[(state * k)..<((state + 1) * k)]),
              passed + (lane * count + state) * (k + 1))
          }
        }
      }
    }
    return ranks(thresholds, passed, lanes: lanes)
  }

  /// Rows of the head in the coordinates of a trial, as they are after they have been stored.
  private static func factor(
    _ rows: UnsafePointer<Float>, _ count: Int, _ width: Int, _ trial: PredictorTrial,
    _ mixing: UnsafeBufferPointer<Float>, _ factor: UnsafeMutablePointer<Float>, _ pool: ThreadPool
  ) {
    LinearProduct(
      rows: count, inner: width, columns: trial.rank, x: rows, w: mixing.baseAddress!, y: factor,
      isTransposed: true
    ).run(pool)
    trial.round(factor, rows: count)
  }

  /// The scores of ``tokens``, [count, k].
  private func thresholds(
    _ trial: PredictorTrial, _ mixing: [Float], _ coordinates: UnsafePointer<Float>
  ) -> [Float] {
    let (k, width, rank) = (k, width, trial.rank)
    return [Float](unsafeUninitializedCapacity: count * k) { scores, initialized in
      nonisolated(unsafe) let scores = scores
      let (tokens, weights, bias, pool) = (tokens, numbers(weights), bias.map(numbers), pool)
      pool.forEach(count) { state in
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: k * (width + rank))
        defer { memory.deallocate() }
        for index in 0..<k {
          (memory + index * width).update(
            from: weights + Int(tokens[state * k + index]) * width, count: width)
        }
        let factor = memory + k * width
        mixing.withUnsafeBufferPointer { Self.factor(memory, k, width, trial, $0, factor, pool) }
        for index in 0..<k {
          var sum: Float = 0
          for column in 0..<rank { sum += coordinates[state * rank + column] * factor[index * rank + column] }
          scores[state * k + index] = sum + (bias?[Int(tokens[state * k + index])] ?? 0)
        }
      }
      initialized = count * k
    }
  }

  /// Counts, for each score, how many thresholds lie below it.
  private static func place(
    _ scores: UnsafeBufferPointer<Float>, among thresholds: UnsafeBufferPointer<Float>,
    _ passed: UnsafeMutablePointer<Int32>
  ) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: thresholds.count) { memory in
      var sorted = memory
      _ = sorted.initialize(from: thresholds)
      sorted.sort()
      let lowest = sorted[0]
      for score in scores where score > lowest {
        var (low, high) = (1, sorted.count)
        while low < high {
          let middle = (low + high) / 2
          if sorted[middle] < score { low = middle + 1 } else { high = middle }
        }
        passed[low] += 1
      }
    }
  }

  private func ranks(_ thresholds: [Float], _ passed: UnsafePointer<Int32>, lanes: Int) -> [Int32] {
    var ranks = [Int32](repeating: 0, count: count * k)
    for state in 0..<count {
      let order = (0..<k).sorted { thresholds[state * k + $0] < thresholds[state * k + $1] }
      var before: Int32 = 0
      for place in (0..<k).reversed() {
        for lane in 0..<lanes { before += passed[(lane * count + state) * (k + 1) + place + 1] }
        ranks[state * k + order[place]] = before
      }
    }
    return ranks
  }
}

/// The largest of numbers that come in the order of their tokens, in pieces.
private struct TopList {
  private let capacity: Int
  /// By falling logit, of equal ones by token.
  private var entries: [(logit: Float, token: Int32)] = []

  init(capacity: Int) { self.capacity = capacity }

  var tokens: [Int32] { entries.map(\.token) }

  mutating func add(_ row: UnsafeMutableBufferPointer<Float>, first: Int) {
    for index in row.indices { insert(row[index], Int32(first + index)) }
  }

  mutating func merge(_ other: TopList) { for entry in other.entries { insert(entry.logit, entry.token) } }

  @inline(__always)
  private mutating func insert(_ logit: Float, _ token: Int32) {
    if entries.count == capacity {
      let last = entries[capacity - 1]
      guard logit > last.logit || (logit == last.logit && token < last.token) else { return }
      entries.removeLast()
    }
    let place = entries.firstIndex { $0.logit < logit || ($0.logit == logit && $0.token > token) }
    entries.insert((logit, token), at: place ?? entries.count)
  }
}
