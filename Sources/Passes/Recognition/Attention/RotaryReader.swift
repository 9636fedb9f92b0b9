import GraphIR
import Tensors

/// Rotary position tables as evaluated from an exported graph.
///
///     y[a] = cos[p, i] x[a] - sin[p, i] x[b]        y[b] = sin[p, i] x[a] + cos[p, i] x[b]
///
/// for pairs `a, b` = `i, i + r/2`, or `2i, 2i + 1` when interleaved, of the first `r` entries of a head.
struct RotaryTables {
  let isInterleaved: Bool
  /// Entries of a head that are rotated.
  let width: Int
  /// `[positions, width / 2]`
  let cos: Tensor
  let sin: Tensor

  /// Rows rotated by their positions.
  func rotated(_ rows: HeadRows, positions: [Int]) -> HeadRows {
    let half = width / 2
    let cosines = cos.base.assumingMemoryBound(to: Float.self)
    let sines = sin.base.assumingMemoryBound(to: Float.self)
    return withExtendedLifetime((cos, sin)) {
      rows.mapHeads { row, head in
        var result = Array(head)
        for index in 0..<half {
          let first = isInterleaved ? 2 * index : index
          let second = isInterleaved ? first + 1 : index + half
          let (c, s) = (cosines[positions[row] * half + index], sines[positions[row] * half + index])
          let (a, b) = (head[head.startIndex + first], head[head.startIndex + second])
          result[first] = c * a - s * b
          result[second] = s * a + c * b
        }
        return result
      }
    }
  }
}

/// Finds rotary positions in a computation on rows of heads by feeding it rows of ones and zeros.
struct RotaryReader {
  let heads: Int
  let size: Int
  /// Positions that the tables cover.
  let limit: Int
  /// Runs the computation on rows at positions `past ..< past + rows`, or at the given position ids.
  let response: (HeadRows, _ past: Int, _ positions: [Int]?) throws(Miss) -> HeadRows
  /// Whether the computation reads position ids.
  let readsPositions: Bool

  /// - Returns: nil when the computation leaves rows as they are.
  func tables() throws(Miss) -> RotaryTables? {
    let rows = 13
    let probe = HeadRows(rows: rows, heads: heads, size: size, seed: 1)
    // Far positions tell more, but an exported table may be shorter than the context.
    var past = max(0, min(limit, 4096) - rows)
    var answer: HeadRows
    do throws(Miss) {
      answer = try response(probe, past, nil)
    } catch {
      past = 0
      answer = try response(probe, past, nil)
    }
    let changed = (0..<size).filter { index in
      (0..<rows * heads).contains { head in
        abs(answer.values[head * size + index] - probe.values[head * size + index]) > 1e-6
      }
    }
    guard let last = changed.last else { return nil }
    // Slow angles may show no change here, so the whole head is tried first.
    for (width, isInterleaved) in [(size, false), (size, true), (last + 2, false), (last + 2, true)] {
      guard width <= size else { continue }
      let reading = try read(rows: rows, past: past, width / 2 * 2, isInterleaved)
      let found = reading.rotated(probe, positions: Array(0..<rows))
      if Agreement.error(found.values, answer.values) < 1e-5 {
        return try complete(width / 2 * 2, isInterleaved)
      }
    }
    throw Miss("queries and keys depend on positions in another way than rotary embedding")
  }

  /// Reads all positions, as far as the graph has angles for them.
  private func complete(_ width: Int, _ isInterleaved: Bool) throws(Miss) -> RotaryTables {
    var (cosines, sines): ([Float], [Float]) = ([], [])
    cosines.reserveCapacity(limit * width / 2)
    sines.reserveCapacity(limit * width / 2)
    let count = PositionRows.read(limit: limit) { (start, count) throws(Miss) in
      let reading = try read(rows: count, past: start, width, isInterleaved)
      cosines += reading.cos.array(of: Float.self)
      sines += reading.sin.array(of: Float.self)
    }
    guard count > 0 else { throw Miss("rotary angles cannot be evaluated") }
    let shape = [count, width / 2]
    let tables = RotaryTables(
      isInterleaved: isInterleaved, width: width, cos: Tensor(f32: cosines, shape),
      sin: Tensor(f32: sines, shape))
    try checkLengths(tables)
    return tables
  }

  /// Angles must not depend on how many positions come before, with, or after: some are looked at alone, and first
  /// ones together with the last one.
  private func checkLengths(_ tables: RotaryTables) throws(Miss) {
    let end = tables.cos.shape[0]
    func check(_ rows: Int, past: Int, _ positions: [Int]?) throws(Miss) {
      let probe = HeadRows(rows: rows, heads: heads, size: size, seed: 4)
      let places = positions ?? Array(past..<past + rows)
      let found = try response(probe, past, positions).values
      guard Agreement.error(found, tables.rotated(probe, positions: places).values) < 1e-5 else {
        throw Miss("the rotary angle of a position depends on the length of the sequence")
      }
    }
    try check(1, past: min(7, end - 1), nil)
    try check(1, past: end - 1, nil)
    if readsPositions, end > 16 {
      try check(13, past: end - 13, Array(0..<12) + [end - 1])
    } else {
      try check(min(end, Self.longestRun), past: 0, nil)
    }
  }

  /// Rows of one run, where position ids cannot bring near and far positions together.
  private static let longestRun = 8192

  /// Cosines and sines of some positions: ones in the first of each pair come out as both.
  private func read(rows: Int, past: Int, _ width: Int, _ isInterleaved: Bool) throws(Miss)
    -> RotaryTables
  {
    let half = width / 2
    let zeros = HeadRows(
      rows: rows, heads: heads, size: size, values: [Float](repeating: 0, count: rows * heads * size))
    let ones = zeros.mapHeads { _, _ in
      (0..<size).map { $0 < width && (isInterleaved ? $0 % 2 == 0 : $0 < half) ? 1 : 0 }
    }
    let answer = try response(ones, past, nil)
    var (cosines, sines): ([Float], [Float]) = ([], [])
    for row in 0..<rows {
      let start = row * heads * size
      for index in 0..<half {
        cosines.append(answer.values[start + (isInterleaved ? 2 * index : index)])
        sines.append(answer.values[start + (isInterleaved ? 2 * index + 1 : index + half)])
      }
    }
    let shape = [rows, half]
    return RotaryTables(
      isInterleaved: isInterleaved, width: width, cos: Tensor(f32: cosines, shape),
      sin: Tensor(f32: sines, shape))
  }
}
