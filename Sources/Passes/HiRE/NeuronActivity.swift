import Kernels
import Tensors

/// Which units of a block some rows need. A unit is a group that the model was trained with, or else a neuron.
struct NeuronActivity {
  /// Neurons of a unit, and units of the block.
  let unitSize: Int, units: Int
  /// For each row the units that it needs, ascending.
  let rows: [[Int32]]

  /// Rows whose activations are in memory at a time.
  private static let chunk = 256

  /// Computes exact activations. A unit is needed unless all its activations are 0.
  ///
  /// - Parameters:
  ///   - x: f32 [N, K].
  ///   - most: units that a row needs at most: those with the largest sums of |act|, the first of equals.
  init(_ block: NeuronBlock, _ x: Tensor, unitSize: Int, most: Int?, _ pool: ThreadPool) {
    let units = block.neurons / unitSize
    var rows = [[Int32]](repeating: [], count: x.shape[0])
    for first in stride(from: 0, to: rows.count, by: Self.chunk) {
      let activations = block.activations(x, first..<min(first + Self.chunk, rows.count), pool)
      let numbers = UnsafePointer(activations.base.assumingMemoryBound(to: Float.self))
      rows.withUnsafeMutableBufferPointer { rows in
        nonisolated(unsafe) let (rows, numbers) = (rows, numbers)
        pool.forEach(activations.shape[0]) { row in
          rows[first + row] = Self.needed(numbers + row * units * unitSize, units, unitSize, most)
        }
      }
      withExtendedLifetime(activations) {}
    }
    (self.unitSize, self.units, self.rows) = (unitSize, units, rows)
  }

  private static func needed(
    _ activations: UnsafePointer<Float>, _ units: Int, _ size: Int, _ most: Int?
  ) -> [Int32] {
    var scores = [Float](repeating: 0, count: units)
    for index in 0..<units * size { scores[index / size] += activations[index].magnitude }
    let needed = (0..<units).filter { scores[$0] != 0 }
    guard let most, needed.count > most else { return needed.map { Int32($0) } }
    let best = needed.sorted { scores[$0] > scores[$1] || scores[$0] == scores[$1] && $0 < $1 }
    return best.prefix(most).sorted().map { Int32($0) }
  }

  /// Units that a row needs, on average.
  var mean: Double { Double(rows.reduce(0) { $0 + $1.count }) / Double(max(1, rows.count)) }

  /// The same of rows that are evenly spread, as many as have `most` entries in all, but some.
  func thinned(entries most: Int) -> NeuronActivity {
    let count = max(min(rows.count, 64), min(rows.count, Int(Double(most) / max(1, mean))))
    return NeuronActivity(
      unitSize: unitSize, units: units, rows: (0..<count).map { rows[$0 * rows.count / count] })
  }

  init(unitSize: Int, units: Int, rows: [[Int32]]) {
    (self.unitSize, self.units, self.rows) = (unitSize, units, rows)
  }

  /// Calls `body` for the groups that a row needs any unit of.
  func forEachGroup(_ grouping: NeuronGrouping, _ row: Int, _ body: (_ group: Int) -> Void) {
    let groupOfUnit = grouping.groupOfUnit
    var seen: Set<Int32> = []
    for unit in rows[row] where seen.insert(groupOfUnit[Int(unit)]).inserted {
      body(Int(groupOfUnit[Int(unit)]))
    }
  }
}

/// The neurons of a block in some order, in groups of neighbours.
struct NeuronGrouping {
  /// What orders the neurons.
  enum Kind: Equatable {
    /// They lie as the model has them.
    case asTheyLie
    /// Those that are active together are neighbours (``CoactivationGroups``).
    case coactive
  }

  let kind: Kind
  /// Units of a group, and neurons of a unit.
  let size: Int, unitSize: Int
  /// The unit at each place.
  let order: [Int]
  /// The group of each unit.
  let groupOfUnit: [Int32]

  var groupSize: Int { size * unitSize }
  var groups: Int { order.count / size }

  /// As they lie.
  init(units: Int, unitSize: Int, size: Int) {
    self.init(.asTheyLie, Array(0..<units), unitSize: unitSize, size: size)
  }

  /// - Parameter order: the unit at each place.
  init(_ kind: Kind, _ order: [Int], unitSize: Int, size: Int) {
    (self.kind, self.order, self.unitSize, self.size) = (kind, order, unitSize, size)
    var groups = [Int32](repeating: 0, count: order.count)
    for (place, unit) in order.enumerated() { groups[unit] = Int32(place / size) }
    groupOfUnit = groups
  }

  /// The neuron at each place, some groups first and the others behind them, each in their order.
  func neurons(first: [Int] = []) -> [Int] {
    let isFirst = Set(first)
    let groups = first.sorted() + (0..<groups).filter { !isFirst.contains($0) }
    return groups.flatMap { group in
      order[(group * size)..<((group + 1) * size)].flatMap { unit in
        (0..<unitSize).map { unit * unitSize + $0 }
      }
    }
  }
}
