import GraphIR
import Kernels
import Operators
import Tensors

/// Bounds of all logits of a head, from a copy of it in the format with the least cost (see `certify_rows`).
///
/// The copy is a matrix of its own, not a plane of bits of the head: products read rows that are contiguous,
/// scales included, and a plane would leave gaps of the other one between them.
///
/// The cost of a token is that of reading the copy, of the rows that bounds leave on held-out states, and of
/// the whole head where these are too many: the mean over drawing the likeliest token and over drawing from
/// the top k.
struct HeadCertificate {
  struct Trial {
    let format: BlockFormat
    let bytes: Int
    /// Mean of a token.
    let nanoseconds: Double
    /// Rows that reach the largest logit, and the k-th largest, by bound: of every state, ascending.
    let topCounts: [Int], kCounts: [Int]
    /// The share of both that are too many.
    let overflow: Double
  }

  let trial: Trial
  let tensors: RowBoundTensors
  /// f32 [K, K].
  let metric: Tensor
  /// Rows that fit.
  let capacity: Int
  let attributes: Attributes

  /// States of one run.
  private static let block = 16
  /// States that formats are judged by.
  private static let judgedCount = 256

  /// - Parameters:
  ///   - head: the attributes of `lm_head`.
  ///   - packed: its weights as it reads them.
  ///   - ranks: those of the held-out states.
  /// - Throws: ``Miss`` when no format is smaller than the head's.
  static func cheapest(
    _ head: Attributes, _ packed: Tensor, _ format: BlockFormat, bias: Tensor?, k: Int, states: HiddenStates,
    cost: HeadCost, pool: ThreadPool
  ) throws(Miss) -> (chosen: HeadCertificate, trials: [Trial]) {
    let judged = states.heldOut(judgedCount)
    let (metric, boundMetric) = try Self.metric(states, pool)
    let weights = WeightMatrix(format, packed.base, rows: cost.vocabulary, columns: cost.width)
    var (best, trials): (HeadCertificate?, [Trial]) = (nil, [])
    let smaller = try formats(below: format)
    do throws(KernelError) {
      let thresholds = try Self.thresholds(head, packed, bias, judged, k, pool)
      for format in smaller {
        let tensors = RowBoundTensors(weights, in: format, metric: boundMetric, pool: pool)
        let certificate = try HeadCertificate(
          head, packed, format, tensors, metric, bias, judged, thresholds, cost, pool)
        trials.append(certificate.trial)
        if certificate.trial.nanoseconds < best?.trial.nanoseconds ?? .infinity { best = certificate }
      }
    } catch {
      throw Miss("bounds cannot be measured: \(error.message)")
    }
    return withExtendedLifetime(packed) { (best!, trials) }
  }

  private init(
    _ head: Attributes, _ packed: Tensor, _ format: BlockFormat, _ tensors: RowBoundTensors, _ metric: Tensor,
    _ bias: Tensor?, _ states: Tensor, _ thresholds: (top: [Float], k: [Float]), _ cost: HeadCost,
    _ pool: ThreadPool
  ) throws(KernelError) {
    let capacity = min(cost.vocabulary, max(256, cost.vocabulary / 16))
    (self.tensors, self.metric, self.capacity) = (tensors, metric, capacity)
    var attributes = head
    attributes["last_only"] = nil
    attributes["bound_format"] = .string(format.rawValue)
    attributes["capacity"] = .int(capacity)
    self.attributes = attributes
    func counts(_ thresholds: [Float]) throws(KernelError) -> [Int] {
      var counts: [Int] = []
      try Self.run("certify_rows", attributes, states, pool, results: [false, false, true]) { x, rows in
        [
          x, Tensor(f32: Array(thresholds[rows]), [1, rows.count]), packed, tensors.weight, tensors.error,
          tensors.slack, metric, bias,
        ]
      } use: {
        (found: Tensor) throws(KernelError) in
        counts += found.array(of: Int32.self).map { Int($0) }
      }
      return counts
    }
    let (topCounts, kCounts) = (try counts(thresholds.top), try counts(thresholds.k))
    let bytes = tensors.weight.byteCount + tensors.error.byteCount + metric.byteCount
    let all = topCounts + kCounts
    let sum = all.reduce(0.0) { $0 + cost.certified(bytes: bytes, rows: $1, capacity: capacity) }
    trial = Trial(
      format: format, bytes: bytes, nanoseconds: sum / Double(max(1, all.count)),
      topCounts: topCounts.sorted(),
      kCounts: kCounts.sorted(), overflow: Double(all.count { $0 > capacity }) / Double(max(1, all.count)))
  }

  /// The formats that bounds can be read from.
  ///
  /// - Throws: ``Miss`` when there is none.
  static func formats(below format: BlockFormat) throws(Miss) -> [BlockFormat] {
    let smaller = [BlockFormat.q4b32, .q5b32, .q6b16, .q8b32].filter { $0.bitsPerWeight < format.bitsPerWeight }
    guard !smaller.isEmpty else {
      throw Miss("no format is smaller than '\(format)', which bounds are to be read from")
    }
    return smaller
  }

  // MARK: Measuring

  /// The largest and the k-th largest logit of every state, with the bits of the head.
  private static func thresholds(
    _ head: Attributes, _ packed: Tensor, _ bias: Tensor?, _ states: Tensor, _ k: Int, _ pool: ThreadPool
  ) throws(KernelError) -> (top: [Float], k: [Float]) {
    var attributes = head
    attributes["last_only"] = nil
    var (top, kth): ([Float], [Float]) = ([], [])
    try run("lm_head", attributes, states, pool, results: [true]) { x, _ in
      [x, packed, bias]
    } use: {
      (logits: Tensor) throws(KernelError) in
      let count = min(k, logits.shape[2])
      guard let entry = KernelTable.entries["top_k"] else { throw .unsupported("there is no such kernel") }
      let values = try KernelRunner(try entry.prepare(Attributes()), pool: pool)
        .run([logits, Tensor(i64: [count], [1])], results: [true, false])[0]!.array(of: Float.self)
      for start in Swift.stride(from: 0, to: values.count, by: count) {
        top.append(values[start])
        kth.append(values[start + count - 1])
      }
    }
    return (top, kth)
  }

  /// Runs a kernel over blocks of states, of which the last result is used.
  private static func run(
    _ name: String, _ attributes: Attributes, _ states: Tensor, _ pool: ThreadPool, results: [Bool],
    _ operands: (_ x: Tensor, _ rows: Range<Int>) -> [Tensor?], use: (Tensor) throws(KernelError) -> Void
  ) throws(KernelError) {
    guard let entry = KernelTable.entries[name] else { throw .unsupported("there is no such kernel") }
    let runner = KernelRunner(try entry.prepare(attributes), pool: pool)
    let width = states.shape[1]
    for first in Swift.stride(from: 0, to: states.shape[0], by: block) {
      let rows = first..<min(first + block, states.shape[0])
      let x = Tensor(
        .f32, [1, rows.count, width], storage: states.storage, offset: states.offset + first * width * 4)
      try use(try runner.run(operands(x, rows), results: results).last!!)
    }
  }

  /// The metric of the states that predictors are fitted to.
  private static func metric(_ states: HiddenStates, _ pool: ThreadPool) throws(Miss) -> (Tensor, BoundMetric)
  {
    guard let factorizations = OpenBLAS.shared?.factorizations else {
      throw Miss("bounds need OpenBLAS with LAPACK, which is not on this machine")
    }
    let n = states.width
    do throws(DenseFactorizations.Failure) {
      let covariance = HeadBasis.gram(states.rows, rows: states.fittedCount, pool)
      let metric = try BoundMetric(covariance: covariance, n, factorizations)
      return (Tensor(f32: metric.forward, [n, n]), metric)
    } catch {
      throw Miss("the hidden states have no metric: \(error)")
    }
  }
}

extension HeadCost {
  /// A token whose bounds leave so many rows.
  func certified(bytes: Int, rows: Int, capacity: Int) -> Double {
    streaming(bytes) + (rows <= capacity ? picking(rows) : dense)
  }
}
