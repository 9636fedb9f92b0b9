import Foundation
import Synchronization
import Tensors

/// The largest logits of a vocabulary, found with a predictor in place of the whole product (HiRE softmax).
///
///     z              = projection x                                       coordinates by importance, [R]
///     survivors      = the largest of scan . z[..<scan_rank]              of each shard of the vocabulary
///     candidates     = the largest of rows[survivors] . z                 of each shard
///     logits         = softcap(weight[ids] x + bias[ids]), ids = row_ids[candidates]
///     log_normalizer = log(S + T), log(T / S) = tail_bias + tail_slope log(s / S)        (``HireTail``)
///                      with S = sum of exp(logits), s = sum over other survivors of exp(softcap(rows . z + bias))
///
/// Operands: x `[B, S, K]`, weight `[V, K]`, projection `[R, K]`, scan (``ScanPanels``), row_ids `[V]`, rows
/// `[V, R]`, bias `[V]`. Results: logits `[B, S, C]`, ids i32 `[B, S, C]`, log_normalizer `[B, S]`,
/// with C = shards times candidates. Without rows the scores of the first stage choose the candidates too.
///
/// Candidates of a shard are in the order of predictor rows; those that a short shard does not have are minus
/// infinity with id -1. Logits have the bits that `lm_head` gives them. A row of x has the same results
/// whatever the other rows and however many threads.
struct HireLMHeadKernel: Kernel {
  let settings: HireSettings
  let format: BlockFormat

  static let entry = KernelEntry("hire_lm_head", widensNarrowFloats: true, keepsWide: [0, 2]) {
    attributes throws(KernelError) in
    HireLMHeadKernel(
      settings: try HireSettings(attributes, orThrow: KernelError.invalid),
      format: try attributes.blockFormat("weight_format", orThrow: KernelError.unsupported))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, inner) = try call.rows(0)
    guard x.rank == 3, x.shape[1] > 0 || !settings.isLastOnly else {
      throw .invalid(
        "x is \(x.shape.array), accepted is [B, S, K]\(settings.isLastOnly ? " with a last row" : "")")
    }
    let projection = try call.matrix(2, columns: inner)
    let head = try head(call, inner: inner, rank: projection.shape[0])
    let (batch, length) = (x.shape[0], settings.isLastOnly ? 1 : x.shape[1])
    let (rows, shards) = (batch * length, head.shardCount)
    let width = shards * settings.candidates
    var (found, lead) = (x.shape, Extents())
    (found[1], found[2]) = (length, width)
    lead.append(batch)
    lead.append(length)
    let results = HireResults(
      logits: call.allocate(0, .f32, found).pointer(),
      ids: call.allocate(1, .i32, found).pointer(), width: width,
      sums: call.resources.scratch(byteCount: rows * shards * MemoryLayout<HireResults.Sums>.stride)
        .bindMemory(to: HireResults.Sums.self, capacity: rows * shards), shards: shards)
    let normalizers: UnsafeMutablePointer<Float> = call.allocate(2, .f32, lead).pointer()
    let (skipped, stride) = settings.isLastOnly ? ((x.shape[1] - 1) * inner, x.shape[1] * inner) : (0, inner)
    let queries = HireQueries(
      x.pointer() + skipped, rows: rows, inner: inner, stride: stride, projection: projection,
      rowsFormat: head.second?.format, panels: settings.panels, for: format, call.resources)
    let rooms = HireRooms(settings, places: call.resources.pool.placeCount(shards), call.resources)
    let isOutOfRange = Atomic<Bool>(false)
    call.resources.pool.forEachInPlace(shards) { shard, place in
      let isWhole = HireShard(head, shard).search(queries, rows: rows, rooms[place], results)
      if !isWhole { isOutOfRange.store(true, ordering: .relaxed) }
    }
    if isOutOfRange.load(ordering: .relaxed) {
      throw .invalid("row_ids hold an id out of range, accepted are 0..<\(head.vocabulary)")
    }
    for row in 0..<rows {
      let (candidates, others) = (results.logSum(row) { $0.candidates }, results.logSum(row) { $0.others })
      normalizers[row] = settings.tail.logNormalizer(candidates: candidates, others: others)
    }
  }

  /// The weights, whose forms are checked.
  private func head(_ call: KernelCall, inner: Int, rank: Int) throws(KernelError) -> HireHead {
    let weights = try call.weights(1, format, columns: inner)
    let (scan, ids, panels) = (call.contiguous(3), call.contiguous(4), settings.panels)
    guard panels.rank <= rank else {
      throw .invalid("'scan_rank' is \(panels.rank), accepted are the \(rank) rows of the projection at most")
    }
    let count = panels.count(rows: weights.rows)
    guard scan.element == .u8, scan.rank == 2, scan.shape[0] == count, scan.shape[1] == panels.byteCount
    else {
      throw .invalid(
        "operand 3 is \(scan.element)\(scan.shape.array), accepted are \(count) panels of"
          + " \(panels.byteCount) u8")
    }
    guard ids.element == .i32, ids.rank == 1, ids.shape[0] == weights.rows else {
      throw .invalid("operand 4 is \(ids.element)\(ids.shape.array), accepted is i32[\(weights.rows)]")
    }
    let second = call.has(5) ? try call.weights(5, settings.rowsFormat, columns: rank) : nil
    guard second?.rows ?? weights.rows == weights.rows else {
      throw .invalid("operand 5 has \(second!.rows) rows, accepted are \(weights.rows)")
    }
    return HireHead(
      settings: settings, weights: weights, panels: scan.base, ids: UnsafePointer(ids.pointer()),
      second: second, bias: try call.optionalRow(6, count: weights.rows))
  }
}

/// What a HiRE head reads beside hidden states.
struct HireHead {
  let settings: HireSettings
  let weights: WeightMatrix
  let panels: UnsafeRawPointer
  /// The row of `weights` and `bias` that each predictor row stands for.
  let ids: UnsafePointer<Int32>
  let second: WeightMatrix?
  let bias: UnsafePointer<Float>?

  var vocabulary: Int { weights.rows }
  var shardCount: Int { settings.shardCount(vocabulary) }
}

/// Where shards put what they find.
struct HireResults {
  /// Of exponentials less their maximum.
  struct Sum {
    var maximum: Float
    var sum: Float

    /// Of no numbers.
    static let none = Sum(maximum: -.infinity, sum: 0)
  }

  /// Over the candidates of a shard, and over its other survivors.
  struct Sums {
    var candidates: Sum
    var others: Sum
  }

  let logits: UnsafeMutablePointer<Float>
  let ids: UnsafeMutablePointer<Int32>
  /// Places of a row.
  let width: Int
  /// One per row and shard.
  let sums: UnsafeMutablePointer<Sums>
  let shards: Int

  /// The logarithm of a row's sum of exponentials; shards are added in order.
  func logSum(_ row: Int, of part: (Sums) -> Sum) -> Float {
    let sums = UnsafeBufferPointer(start: sums + row * shards, count: shards)
    let maximum = sums.reduce(-Float.infinity) { max($0, part($1).maximum) }
    guard maximum > -.infinity else { return maximum }
    return maximum + log(sums.reduce(0) { $0 + part($1).sum * exp(part($1).maximum - maximum) })
  }
}
