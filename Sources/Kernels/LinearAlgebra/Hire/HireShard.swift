import CKernels
import Tensors

/// The search of one shard of the vocabulary, by one thread.
///
/// The panels of the shard are read from memory once for all rows; scores stay in the cache.
struct HireShard {
  private let head: HireHead
  private let settings: HireSettings
  private let index: Int
  /// Predictor rows of the shard.
  private let range: Range<Int>

  init(_ head: HireHead, _ index: Int) {
    (self.head, settings, self.index) = (head, head.settings, index)
    let first = index * settings.shardRows
    range = first..<min(first + settings.shardRows, head.vocabulary)
  }

  /// Searches for `rows` rows; false when an id is out of range.
  func search(_ queries: HireQueries, rows: Int, _ room: HireRoom, _ results: HireResults) -> Bool {
    for first in stride(from: 0, to: rows, by: Int(CK_SCAN_ROWS)) {
      let count = min(Int(CK_SCAN_ROWS), rows - first)
      scan(queries, first, count, room.scores)
      for row in first..<first + count {
        let scores = room.scores + (row - first) * settings.shardRows
        guard choose(queries, row, scores, room, results) else { return false }
      }
    }
    return true
  }

  // MARK: Stages

  /// Scores of all rows of the shard for some rows of z.
  private func scan(_ queries: HireQueries, _ row: Int, _ count: Int, _ scores: UnsafeMutablePointer<Float>) {
    let panels = settings.panels
    queries.scan.scan(
      row..<row + count, head.panels + range.lowerBound / ScanPanels.rows * panels.byteCount,
      panels: panels.count(rows: range.count), scores, stride: settings.shardRows)
    guard let bias = head.bias else { return }
    for row in 0..<count {
      for place in 0..<range.count {
        let id = Int(head.ids[range.lowerBound + place])
        scores[row * settings.shardRows + place] += (0..<head.vocabulary).contains(id) ? bias[id] : 0
      }
    }
  }

  /// The survivors of the first stage, the candidates among them, and their logits; false when an id is out
  /// of range.
  private func choose(
    _ queries: HireQueries, _ row: Int, _ scores: UnsafePointer<Float>, _ room: HireRoom,
    _ results: HireResults
  ) -> Bool {
    let candidates = min(settings.candidates, range.count)
    let survivors = min(settings.survivors, range.count)
    VectorMath.best.select(range.count, scores, survivors, room.survivors)
    for index in 0..<survivors { room.list[index] = Int32(range.lowerBound + Int(room.survivors[index])) }
    if let second = head.second {
      ListedRows(second).multiply(queries.z, row: row, room.list, survivors, room.values)
    } else {
      for index in 0..<survivors { room.values[index] = scores[Int(room.survivors[index])] }
    }
    for index in 0..<survivors {
      let id = head.ids[Int(room.list[index])]
      guard id >= 0, Int(id) < head.vocabulary else { return false }
      room.list[index] = id
      if head.second != nil, let bias = head.bias { room.values[index] += bias[Int(id)] }
    }
    VectorMath.best.select(survivors, room.values, candidates, room.chosen)
    let start = row * results.width + self.index * settings.candidates
    let (logits, ids) = (results.logits + start, results.ids + start)
    for index in 0..<candidates { ids[index] = room.list[Int(room.chosen[index])] }
    ListedRows(head.weights, bias: head.bias).multiply(queries.x, row: row, ids, candidates, logits)
    if settings.softcap != 0 { Float.cap(logits, candidates, softcap: settings.softcap) }
    for index in candidates..<settings.candidates { (logits[index], ids[index]) = (-.infinity, -1) }
    if settings.softcap != 0 { Float.cap(room.values, survivors, softcap: settings.softcap) }
    for index in 0..<candidates { room.values[Int(room.chosen[index])] = -.infinity }
    let others = survivors > candidates ? expSum(room.values, survivors, room) : HireResults.Sum.none
    results.sums[row * results.shards + self.index] = HireResults.Sums(
      candidates: expSum(logits, candidates, room), others: others)
    return true
  }

  /// Overwrites ``HireRoom/values``.
  private func expSum(_ x: UnsafePointer<Float>, _ count: Int, _ room: HireRoom) -> HireResults.Sum {
    let maximum = VectorMath.best.maximum(count, x)
    return HireResults.Sum(maximum: maximum, sum: VectorMath.best.expSum(count, x, maximum, room.values))
  }
}

/// Memory of one thread.
struct HireRoom {
  /// Of the shard, for each row of a scan.
  let scores: UnsafeMutablePointer<Float>
  /// Places of the survivors in the shard.
  let survivors: UnsafeMutablePointer<UInt32>
  /// Their predictor rows, then their ids.
  let list: UnsafeMutablePointer<Int32>
  /// Their scores.
  let values: UnsafeMutablePointer<Float>
  /// Places of the candidates among the survivors.
  let chosen: UnsafeMutablePointer<UInt32>
}

/// Memory of several threads.
struct HireRooms {
  private let base: UnsafeMutableRawPointer
  private let settings: HireSettings
  private let byteCount: Int

  init(_ settings: HireSettings, places: Int, _ resources: Resources) {
    self.settings = settings
    let count = Int(CK_SCAN_ROWS) * settings.shardRows + 3 * settings.survivors + settings.candidates
    byteCount = (count * 4 + TensorStorage.alignment - 1) / TensorStorage.alignment * TensorStorage.alignment
    base = resources.scratch(byteCount: places * byteCount)
  }

  subscript(place: Int) -> HireRoom {
    let start = base + place * byteCount
    let scores = Int(CK_SCAN_ROWS) * settings.shardRows
    func part<T>(_ first: Int, _ count: Int, _ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
      (start + first * 4).bindMemory(to: T.self, capacity: count)
    }
    let count = settings.survivors
    return HireRoom(
      scores: part(0, scores), survivors: part(scores, count), list: part(scores + count, count),
      values: part(scores + 2 * count, count), chosen: part(scores + 3 * count, settings.candidates))
  }
}
