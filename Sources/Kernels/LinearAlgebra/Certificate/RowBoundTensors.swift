public import Tensors

/// What bounds are read from, of the rows of a head or of a feed-forward block: copies in a smaller format, unless the head's first plane
/// is one, and what bounds their errors (see ``RowBound`` for the formulas).
public struct RowBoundTensors: Sendable {
  /// u8 [V, bytes]; nil for the first plane of the head.
  public let weight: Tensor?
  /// f32 [V].
  public let error: Tensor
  /// f32 [2].
  public let slack: Tensor

  /// Rows that a thread takes at a time.
  private static let chunk = 128
  /// Makes sums in double precision upper bounds.
  private static let upwards = 1 + 0x1p-18

  /// - Parameters:
  ///   - weights: as `lm_head` reads them.
  ///   - format: one of blocks; nil for the first plane of the weights, which are in nested planes.
  ///   - metric: nil for the identity.
  public init(_ weights: WeightMatrix, in format: BlockFormat?, metric: BoundMetric?, pool: ThreadPool) {
    precondition(metric?.size ?? weights.columns == weights.columns, "the metric is that of the columns")
    let (rows, columns) = (weights.rows, weights.columns)
    weight = format.map { Tensor(.u8, [rows, $0.rowBytes(columns)]) }
    error = Tensor(.f32, [rows])
    slack = Tensor(.f32, [2])
    let copy =
      weight.map { WeightMatrix(format!, $0.base, rows: rows, columns: columns) } ?? weights.firstPlane
    guard let copy else { preconditionFailure("'\(weights.format)' has no planes") }
    nonisolated(unsafe) let (copies, room, errors) = (
      copy, weight?.base, error.base.assumingMemoryBound(to: Float.self)
    )
    let rounding = 1.1 * Double(columns + 32) * 0x1p-24
    let pieces = (rows + Self.chunk - 1) / Self.chunk
    nonisolated(unsafe) let slacks = UnsafeMutablePointer<(Double, Double)>.allocate(capacity: pieces)
    defer { slacks.deallocate() }
    nonisolated(unsafe) let weights = weights
    pool.forEach(pieces) { piece in
      let range = piece * Self.chunk..<min((piece + 1) * Self.chunk, rows)
      let memory = UnsafeMutablePointer<Float>.allocate(capacity: (2 * range.count + 3) * columns)
      defer { memory.deallocate() }
      // The errors of all rows, the same in the metric, and a row, its copy, and what its codes are above.
      let (differences, turned) = (memory, memory + range.count * columns)
      let (row, copy) = (memory + 2 * range.count * columns, memory + (2 * range.count + 1) * columns)
      let offsets = copy + columns
      var slack = (0.0, 0.0)
      var plain: [Double] = []
      plain.reserveCapacity(range.count)
      for (place, index) in range.enumerated() {
        weights.decode(index, into: row)
        if let room { copies.format.encode(row, columns: columns, into: room, row: index, of: rows) }
        copies.decode(index, into: copy)
        for k in 0..<columns { differences[place * columns + k] = row[k] - copy[k] }
        plain.append(Self.norm(differences + place * columns, columns))
        weights.decodeOffsets(index, into: offsets)
        var magnitude = Self.magnitude(row, offsets, columns)
        slack.1 = max(slack.1, magnitude * (1 + rounding))
        copies.decodeOffsets(index, into: offsets)
        magnitude += Self.magnitude(copy, offsets, columns)
        slack.0 = max(slack.0, rounding * magnitude + (metric?.defect ?? 0) * plain[place])
      }
      if let metric {
        metric.dual.withUnsafeBufferPointer {
          LinearProduct(
            rows: range.count, inner: columns, columns: columns, x: differences, w: $0.baseAddress!, y: turned
          ).run(pool)
        }
      }
      var largest = 0.0
      for (place, index) in range.enumerated() {
        let inMetric = metric.map {
          Self.norm(turned + place * columns, columns) + rounding * $0.dualNorm * plain[place]
        }
        let error = (inMetric ?? plain[place]) * Self.upwards
        errors[index] = Float(error).nextUp
        largest = max(largest, error)
      }
      slack.0 += rounding * (metric?.norm ?? 1) * largest
      slacks[piece] = slack
    }
    let most = UnsafeBufferPointer(start: slacks, count: pieces).reduce((0.0, 0.0)) {
      (max($0.0, $1.0), max($0.1, $1.1))
    }
    let bounds = slack.base.assumingMemoryBound(to: Float.self)
    bounds[0] = Float(most.0 * Self.upwards).nextUp
    bounds[1] = Float(most.1 * Self.upwards).nextUp
  }

  private static func norm(_ x: UnsafePointer<Float>, _ count: Int) -> Double {
    var sum = 0.0
    for index in 0..<count { sum += Double(x[index]) * Double(x[index]) }
    return sum.squareRoot()
  }

  /// The norm of what a product adds of a row: numbers above the offsets, and offsets.
  private static func magnitude(
    _ x: UnsafePointer<Float>, _ offsets: UnsafePointer<Float>, _ count: Int
  ) -> Double {
    var (above, offset) = (0.0, 0.0)
    for index in 0..<count {
      let difference = Double(x[index]) - Double(offsets[index])
      above += difference * difference
      offset += Double(offsets[index]) * Double(offsets[index])
    }
    return above.squareRoot() + offset.squareRoot()
  }
}
