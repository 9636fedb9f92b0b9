import Tensors

/// The two orders in which exporters keep rows of heads; a leading batch of 1 and a flat last axis change nothing.
enum HeadOrder {
  /// `[rows, heads, size]`
  case rowsFirst
  /// `[heads, rows, size]`
  case headsFirst

  /// The order of a tensor of these extents; nil when it holds no such rows.
  init?(_ shape: [Int], rows: Int, heads: Int, size: Int) {
    let extents = shape.drop { $0 == 1 }
    let rowsFirst = [[rows, heads, size], [rows, heads * size], [rows * heads, size]]
    if rowsFirst.contains(where: { $0.drop { $0 == 1 } == extents }) {
      self = .rowsFirst
    } else if extents == ([heads, rows, size].drop { $0 == 1 }) {
      self = .headsFirst
    } else {
      return nil
    }
  }
}

/// Rows of heads of one sequence, `[rows, heads, size]`.
struct HeadRows {
  let rows: Int
  let heads: Int
  let size: Int
  var values: [Float]

  init(rows: Int, heads: Int, size: Int, values: [Float]) {
    (self.rows, self.heads, self.size, self.values) = (rows, heads, size, values)
  }

  /// Numbers to probe with.
  init(rows: Int, heads: Int, size: Int, seed: UInt64) {
    self.init(
      rows: rows, heads: heads, size: size, values: ProbeNoise.values(rows * heads * size, seed: seed))
  }

  /// Reads a tensor in whatever order its extents say.
  init?(_ tensor: Tensor, rows: Int, heads: Int, size: Int) {
    guard tensor.element == .f32, tensor.elementCount == rows * heads * size,
      let order = HeadOrder(tensor.shape, rows: rows, heads: heads, size: size)
    else { return nil }
    let stored = tensor.array(of: Float.self)
    self.init(rows: rows, heads: heads, size: size, values: stored)
    if order == .headsFirst { values = Self.swapped(stored, heads, rows, size) }
  }

  /// These rows as a tensor of the given extents.
  func tensor(_ shape: [Int]) -> Tensor? {
    guard let order = HeadOrder(shape, rows: rows, heads: heads, size: size) else { return nil }
    return Tensor(f32: order == .rowsFirst ? values : Self.swapped(values, rows, heads, size), shape)
  }

  /// `[a, b, size]` as `[b, a, size]`.
  private static func swapped(_ values: [Float], _ a: Int, _ b: Int, _ size: Int) -> [Float] {
    var result = [Float](repeating: 0, count: values.count)
    for i in 0..<a {
      for j in 0..<b {
        for index in 0..<size { result[(j * a + i) * size + index] = values[(i * b + j) * size + index] }
      }
    }
    return result
  }

  /// Applies a function to every head of every row.
  func mapHeads(_ body: (_ row: Int, _ head: ArraySlice<Float>) -> [Float]) -> HeadRows {
    var copy = self
    copy.values = []
    copy.values.reserveCapacity(values.count)
    for row in 0..<rows {
      for head in 0..<heads {
        let start = (row * heads + head) * size
        copy.values += body(row, values[start..<start + size])
      }
    }
    return copy
  }
}
