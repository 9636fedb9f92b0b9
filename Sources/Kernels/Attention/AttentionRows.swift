import Tensors

/// The source of a call's queries.
protocol AttentionQueries {
  associatedtype Scalar: AttentionScalar

  /// Writes the query of one row of one head, times the scale.
  func write(batch: Int, head: Int, row: Int, to query: UnsafeMutablePointer<Scalar>)
}

/// The rows of one attention call, over keys and values `[B, groups, T, d]`, `Entry`s whose last axis is
/// dense.
///
/// For each tile of queries: (1) scores of the keys that one of them may see, (2) for each query softcap,
/// slope and mask, and softmax over the keys that it may see, (3) the weighted sum of values, key by key.
/// Each query is accumulated in one order, whatever the tile, the number of rows or of threads.
struct AttentionRows<Queries: AttentionQueries, Entry: AttentionEntry> where Entry.Scalar == Queries.Scalar {
  typealias T = Queries.Scalar

  let queries: Queries
  let tiling: AttentionTiling
  let k: TensorView, v: TensorView
  /// `[B, heads, S, d]`
  let y: TensorView
  var places: AttentionPlaces
  var softcap: T = 0
  /// Per head what a key's score gains for each position.
  var slopes: UnsafePointer<T>?
  var mask: AttentionMask
  var scores: AttentionScores<T>?

  /// Keys and columns that one thread takes of a tile that several share.
  private static var keyCount: Int { 128 }
  private static var columnCount: Int { 64 }
  /// Products of a tile above which sharing it pays for three dispatches.
  private static var sharedProductCount: Int { 1 << 18 }
  /// Products of all tiles below which a dispatch costs more than it saves.
  private static var serialProductCount: Int { 1 << 16 }

  private var size: Int { k.shape[3] }
  private var keyCount: Int { k.shape[2] }
  private var valueSize: Int { v.shape[3] }
  /// Elements from the scores of a query to those of the next, in whole cache lines.
  private var scoreStride: Int { Self.wholeLines(keyCount) }

  /// Numbers that a tile needs: queries, scores of all keys, results. There is room for as many keys as the
  /// cache holds, so that a run that is one key longer takes no more memory.
  private var scratchCount: Int {
    AttentionTiling.queryCount * (Self.wholeLines(size + valueSize) + Self.wholeLines(k.keyCapacity))
  }

  private static func wholeLines(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  func run(_ resources: Resources) {
    let (pool, count) = (resources.pool, tiling.count)
    let places = pool.placeCount(count)
    let scratch = resources.scratch(byteCount: places * scratchCount * MemoryLayout<T>.stride)
      .bindMemory(to: T.self, capacity: places * scratchCount)
    let products = count == 0 ? 0 : tiling[0].count * keyCount * size
    // A few tiles over many keys occupy all threads only if they share each of them.
    if count < pool.threadCount, products > Self.sharedProductCount {
      for index in 0..<count { runShared(Buffers(tiling[index], self, scratch), pool) }
    } else if products * count < Self.serialProductCount {
      for index in 0..<count { run(Buffers(tiling[index], self, scratch)) }
    } else {
      pool.forEachInPlace(count) { index, place in
        run(Buffers(tiling[index], self, scratch + place * scratchCount))
      }
    }
  }

  /// A tile with its part of the scratch memory.
  private struct Buffers {
    let tile: AttentionTile
    let queries: StridedRows<T>, weights: StridedRows<T>, results: StridedRows<T>
    let keys: StridedRows<Entry>, values: StridedRows<Entry>

    init(_ tile: AttentionTile, _ rows: AttentionRows, _ scratch: UnsafeMutablePointer<T>) {
      self.tile = tile
      let most = AttentionTiling.queryCount
      weights = StridedRows(base: scratch, stride: rows.scoreStride)
      queries = StridedRows(base: scratch + most * rows.scoreStride, stride: rows.size)
      results = StridedRows(base: queries[most], stride: rows.valueSize)
      keys = StridedRows(base: rows.k.row(tile.batch, tile.group, 0), stride: rows.k.strides[2])
      values = StridedRows(base: rows.v.row(tile.batch, tile.group, 0), stride: rows.v.strides[2])
    }
  }

  private func run(_ buffers: Buffers) {
    writeQueries(buffers)
    Entry.score(
      buffers.queries, buffers.tile.count, size: size, buffers.keys, scored(buffers.tile), buffers.weights)
    for query in 0..<buffers.tile.count { weigh(query, buffers) }
    sum(buffers, columns: 0..<valueSize)
    writeResults(buffers)
  }

  /// As `run`, with the keys and then the columns of the values divided among threads.
  private func runShared(_ buffers: Buffers, _ pool: ThreadPool) {
    writeQueries(buffers)
    let range = scored(buffers.tile)
    pool.forEach((range.count + Self.keyCount - 1) / Self.keyCount) { index in
      let first = range.lowerBound + index * Self.keyCount
      let part = first..<min(range.upperBound, first + Self.keyCount)
      Entry.score(buffers.queries, buffers.tile.count, size: size, buffers.keys, part, buffers.weights)
    }
    pool.forEach(buffers.tile.count) { weigh($0, buffers) }
    pool.forEach((valueSize + Self.columnCount - 1) / Self.columnCount) { index in
      let first = index * Self.columnCount
      sum(buffers, columns: first..<min(valueSize, first + Self.columnCount))
    }
    writeResults(buffers)
  }

  // MARK: Steps

  private func writeQueries(_ buffers: Buffers) {
    let tile = buffers.tile
    for query in 0..<tile.count {
      queries.write(
        batch: tile.batch, head: tile.head(query), row: tile.row(query), to: buffers.queries[query])
    }
  }

  /// The keys that a row may see, masks aside.
  private func range(_ batch: Int, _ row: Int) -> Range<Int> {
    places.keys(batch: batch, row: row, of: min(keyCount, mask.count))
  }

  /// The keys whose scores a tile needs: those from the first that a row may see to the last.
  private func scored(_ tile: AttentionTile) -> Range<Int> {
    if scores != nil { return 0..<keyCount }
    var (low, high) = (Int.max, 0)
    for row in tile.rows {
      let range = range(tile.batch, row)
      if range.isEmpty { continue }
      (low, high) = (min(low, range.lowerBound), max(high, range.upperBound))
    }
    return min(low, high)..<high
  }

  /// Turns the scores of a query into weights.
  private func weigh(_ query: Int, _ buffers: Buffers) {
    let tile = buffers.tile
    let (head, row, weights) = (tile.head(query), tile.row(query), buffers.weights[query])
    let range = range(tile.batch, row)
    let computed = scores == nil ? range : 0..<keyCount
    scores?.keep(weights, .raw, tile.batch, head, row)
    if softcap != 0 { T.cap(weights + computed.lowerBound, computed.count, softcap: softcap) }
    scores?.keep(weights, .capped, tile.batch, head, row)
    if let slope = slopes?[head] { for key in range { weights[key] += slope * T(key) } }
    mask.add(to: weights, tile.batch, head, row, range)
    scores?.keep(weights, .masked, tile.batch, head, row, allowed: range)
    T.normalize(weights, range)
    scores?.keep(weights, .probabilities, tile.batch, head, row, allowed: range)
  }

  /// Sums values for columns of the results.
  ///
  /// The keys that all rows may see are read once for the tile, those before and after them for each row.
  private func sum(_ buffers: Buffers, columns: Range<Int>) {
    let (tile, values) = (buffers.tile, buffers.values.from(column: columns.lowerBound))
    let results = buffers.results.from(column: columns.lowerBound)
    var (low, high, first) = (0, Int.max, Int.max)
    for row in tile.rows {
      let range = range(tile.batch, row)
      (low, high) = (max(low, range.lowerBound), min(high, range.upperBound))
      first = min(first, range.lowerBound)
    }
    let isShared = low < high
    func add(_ range: Range<Int>, of row: Int, adds: Bool) {
      let query = (row - tile.rows.lowerBound) * tile.heads.count
      Entry.sum(
        buffers.weights.from(row: query), tile.heads.count, values, range, results.from(row: query),
        columns: columns.count, adds: adds)
    }
    if !isShared {
      for row in tile.rows { add(range(tile.batch, row), of: row, adds: false) }
      return
    }
    let hasStart = first < low
    for row in tile.rows where hasStart {
      add(range(tile.batch, row).lowerBound..<low, of: row, adds: false)
    }
    Entry.sum(
      buffers.weights, tile.count, values, low..<high, results, columns: columns.count, adds: hasStart)
    for row in tile.rows {
      let end = range(tile.batch, row).upperBound
      if end > high { add(high..<end, of: row, adds: true) }
    }
  }

  private func writeResults(_ buffers: Buffers) {
    let tile = buffers.tile
    for query in 0..<tile.count {
      let to: UnsafeMutablePointer<T> = y.row(tile.batch, tile.head(query), tile.row(query))
      to.update(from: buffers.results[query], count: valueSize)
    }
  }
}

extension TensorView {
  /// Of keys `[B, groups, T, d]`: how many fit in the memory of one group.
  var keyCapacity: Int { max(shape[2], strides[1] / max(strides[2], 1)) }

  /// The start of a row of a view `[B, heads, S, d]`.
  @inline(__always)
  func row<T>(_ batch: Int, _ head: Int, _ row: Int) -> UnsafeMutablePointer<T> {
    base.assumingMemoryBound(to: T.self) + (batch * strides[0] + head * strides[1] + row * strides[2])
  }
}
