import Tensors

/// What decides which neurons of a block with ReLU matter, computed for those alone that upper bounds do not prove
/// to be 0 (``RowBound``; certified zero skipping).
///
/// A bound below 0 lies above the product as it would be computed, so ReLU makes that 0: the neuron is left out
/// without reading its row. All others have the bits of the dense product, so what comes of them is the same.
struct BoundedNeurons {
  /// The activations, a row of `neurons` for each row of x; 0 where bounds say so.
  let values: UnsafeMutablePointer<Float>
  /// Neurons that bounds leave of each row.
  let counts: UnsafeMutablePointer<Int>

  /// Rows of weights that a thread bounds, and then reads, at a time.
  private static let shardRows = 4 * RowSets.wordRows

  /// - Parameters:
  ///   - rows: what decides.
  ///   - x: at most ``LinearProduct/blockRows`` rows.
  init(
    _ rows: ListedRows, _ bound: RowBound, _ activation: Activation, _ x: Activations, _ resources: Resources
  ) {
    func scratch<T>(_ count: Int, _ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
      resources.scratch(byteCount: count * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: count)
    }
    let neurons = rows.weights.rows
    let values: UnsafeMutablePointer<Float> = scratch(x.rows * neurons)
    let thresholds: UnsafeMutablePointer<Float> = scratch(x.rows)
    thresholds.update(repeating: 0, count: x.rows)
    let queries = bound.queries(x, thresholds: thresholds, resources)
    let sets = RowSets(count: x.rows, vocabulary: neurons, resources)
    let shards = (neurons + Self.shardRows - 1) / Self.shardRows
    let places = resources.pool.placeCount(shards)
    let rooms: UnsafeMutablePointer<Float> = scratch(places * x.rows * Self.shardRows)
    let lists: UnsafeMutablePointer<Int32> = scratch(places * Self.shardRows)
    resources.pool.forEachInPlace(shards) { shard, place in
      let range = shard * Self.shardRows..<min((shard + 1) * Self.shardRows, neurons)
      let (room, list) = (rooms + place * x.rows * Self.shardRows, lists + place * Self.shardRows)
      bound.mark(range, of: x, 0..<x.rows, queries, shift: nil, room, sets)
      for row in 0..<x.rows {
        let own = values + row * neurons
        (own + range.lowerBound).update(repeating: 0, count: range.count)
        let count = sets.list(row, range, into: list)
        rows.multiply(x, row: row, list, count, room)
        activation.apply(room, count)
        for index in 0..<count { own[Int(list[index])] = room[index] }
      }
    }
    counts = scratch(x.rows)
    for row in 0..<x.rows { counts[row] = sets.count(row) }
    self.values = values
  }
}
