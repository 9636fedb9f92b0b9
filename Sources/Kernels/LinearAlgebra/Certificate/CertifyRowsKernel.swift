import CKernels
import Tensors

/// The rows of a head whose logits may reach a threshold, with these logits: what a bound leaves of a
/// vocabulary.
///
///     rows   = { v : upper bound of logit[v] + shift[v] >= threshold }        see ``RowBound``
///     count  = the number of rows
///     logits = softcap(weight[ids] x + bias[ids]), ids = rows                 where count <= capacity
///
/// Operands: x `[B, S, K]`, threshold `[B, S]`, weight `[V, K]`, bound_weight `[V, bytes]` (rows of the
/// weight in a smaller format; absent where the weight has a first plane, which is read then), bound_error
/// `[V]`, bound_slack `[2]`, metric `[K, K]`, bias `[V]`, shift `[B, S, V]`. Results: logits `[B, S, M]`, ids i32 `[B, S, M]`, count i32 `[B, S]` with M the capacity.
///
/// Ids ascend. Places that are left, and all places of a row of x with more rows than fit, are minus infinity
/// with id -1. Logits have the bits that `lm_head` gives them. A row of x has the same results whatever the
/// other rows and however many threads. What is no number passes every bound.
struct CertifyRowsKernel: Kernel {
  let format: BlockFormat
  /// Nil for the first plane of the weight.
  let boundFormat: BlockFormat?
  let softcap: Float
  let capacity: Int

  static let entry = KernelEntry("certify_rows") { attributes throws(KernelError) in
    guard let capacity = attributes.int("capacity"), capacity > 0 else {
      throw .invalid("'capacity' is \(attributes.int("capacity") ?? 0), accepted are 1 and more")
    }
    let format = try attributes.blockFormat("weight_format", orThrow: KernelError.unsupported)
    let bound = try attributes.blockFormat("bound_format", orThrow: KernelError.unsupported)
    let isPlane = attributes["bound_format"] == nil && format.firstPlane != nil
    guard isPlane || bound.quantizesActivations else {
      throw .invalid("'bound_format' is \"\(bound)\", accepted are formats of blocks")
    }
    return CertifyRowsKernel(
      format: format, boundFormat: isPlane ? nil : bound,
      softcap: attributes.float("softcap", default: 0), capacity: capacity)
  }

  /// Rows of a shard: their scores stay in the cache.
  private static let shardRows = 1024
  /// Rows that are computed exactly at a time.
  private static let listedRows = 64

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, inner) = try call.rows(0)
    guard x.rank == 3 else { throw .invalid("x is \(x.shape.array), accepted is [B, S, K]") }
    let (batch, length) = (x.shape[0], x.shape[1])
    let rows = batch * length
    let weights = try call.weights(2, format, columns: inner)
    let copies = try copies(call, weights)
    let bias = try call.optionalRow(7, count: weights.rows)
    let bound = RowBound(
      copies: copies, errors: try call.row(4, count: weights.rows), slack: try call.row(5, count: 2),
      metric: try call.has(6) ? metric(call, inner) : nil, bias: bias, softcap: softcap,
      isExactForQuantized: format.quantizesActivations)
    let activations = Activations(
      x.pointer(), rows: rows, inner: inner, for: copies.format, or: format, resources: call.resources)
    let queries = bound.queries(activations, thresholds: try thresholds(call, rows), call.resources)
    let sets = RowSets(count: rows, vocabulary: weights.rows, call.resources)
    let counts: UnsafeMutablePointer<Int32> = call.allocate(2, .i32, Extents(batch, length)).pointer()

    let shards = (weights.rows + Self.shardRows - 1) / Self.shardRows
    let block = min(max(rows, 1), Int(CK_BLOCK_ROWS))
    let places = call.resources.pool.placeCount(shards)
    let room = call.resources.scratch(byteCount: places * block * Self.shardRows * 4)
      .bindMemory(to: Float.self, capacity: places * block * Self.shardRows)
    let shift = try shift(call, rows, weights.rows)
    call.resources.pool.forEachInPlace(shards) { shard, place in
      let range = shard * Self.shardRows..<min((shard + 1) * Self.shardRows, weights.rows)
      for first in stride(from: 0, to: rows, by: block) {
        bound.mark(
          range, of: activations, first..<min(first + block, rows), queries, shift: shift,
          room + place * block * Self.shardRows, sets)
      }
    }
    list(call, activations, weights, bias, sets, counts, Extents(batch, length, capacity))
  }

  /// Lists the rows that are marked and computes their logits.
  private func list(
    _ call: KernelCall, _ x: Activations, _ weights: WeightMatrix, _ bias: UnsafePointer<Float>?,
    _ sets: RowSets, _ counts: UnsafeMutablePointer<Int32>, _ shape: Extents
  ) {
    let logits: UnsafeMutablePointer<Float> = call.allocate(0, .f32, shape).pointer()
    let ids: UnsafeMutablePointer<Int32> = call.allocate(1, .i32, shape).pointer()
    var most = 0
    for row in 0..<x.rows {
      let count = sets.count(row)
      counts[row] = Int32(count)
      let listed = count <= capacity ? count : 0
      most = max(most, listed)
      let start = row * capacity
      if listed > 0 { sets.list(row, 0..<weights.rows, into: ids + start) }
      (ids + start + listed).update(repeating: -1, count: capacity - listed)
      (logits + start + listed).update(repeating: -.infinity, count: capacity - listed)
    }
    let pieces = (most + Self.listedRows - 1) / Self.listedRows
    call.resources.pool.forEach(pieces * x.rows) { index in
      let (row, first) = (index / pieces, index % pieces * Self.listedRows)
      let listed = Int(counts[row]) <= capacity ? Int(counts[row]) : 0
      guard first < listed else { return }
      let (count, start) = (min(Self.listedRows, listed - first), row * capacity + first)
      ListedRows(weights, bias: bias).multiply(x, row: row, ids + start, count, logits + start)
      if softcap != 0 { Float.cap(logits + start, count, softcap: softcap) }
    }
  }

  // MARK: Operands

  /// What bounds are read from.
  private func copies(_ call: KernelCall, _ weights: WeightMatrix) throws(KernelError) -> WeightMatrix {
    guard let boundFormat else {
      guard !call.has(3), let plane = weights.firstPlane else {
        throw .invalid("operand 3 is given without 'bound_format'")
      }
      return plane
    }
    let copies = try call.weights(3, boundFormat, columns: weights.columns)
    guard copies.rows == weights.rows else {
      throw .invalid("operand 3 has \(copies.rows) rows, accepted are \(weights.rows)")
    }
    return copies
  }

  private func metric(_ call: KernelCall, _ inner: Int) throws(KernelError) -> UnsafePointer<Float> {
    let view = try call.matrix(6, columns: inner)
    guard view.shape[0] == inner else {
      throw .invalid("operand 6 is \(view.shape.array), accepted is a matrix of \(inner) rows")
    }
    return UnsafePointer(view.pointer())
  }

  private func thresholds(_ call: KernelCall, _ rows: Int) throws(KernelError) -> UnsafePointer<Float> {
    let view = call.contiguous(1)
    guard view.element == .f32, view.elementCount == rows else {
      throw .invalid(
        "operand 1 is \(view.element)\(view.shape.array), accepted is f32, one for each row of x")
    }
    return UnsafePointer(view.pointer())
  }

  private func shift(_ call: KernelCall, _ rows: Int, _ vocabulary: Int) throws(KernelError)
    -> UnsafePointer<Float>?
  {
    guard call.has(8) else { return nil }
    let view = call.contiguous(8)
    guard view.element == .f32, view.elementCount == rows * vocabulary else {
      throw .invalid(
        "operand 8 is \(view.element)\(view.shape.array), accepted is f32, \(vocabulary) for each row of x")
    }
    return UnsafePointer(view.pointer())
  }
}
