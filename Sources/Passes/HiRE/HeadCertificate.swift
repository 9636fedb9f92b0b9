import GraphIR
import Kernels
import Operators
import Tensors

/// Bounds of all logits of a head, from the source with the least cost (see `certify_rows`): a copy of it in a
/// smaller format, or, for heads of 8 bits, their own high nibbles, when the head is stored in nested planes.
///
/// The cost of a token is that of reading the copy, of the rows that bounds leave on held-out states, and of
/// the whole head where these are too many: the mean over drawing the likeliest token and over drawing from
/// the top k.
struct HeadCertificate {
  /// What bounds are read from.
  enum Source: Equatable {
    /// A matrix of its own in a smaller format.
    case copy(BlockFormat)
    /// The first plane of the head, stored in a format that has one.
    case plane(of: BlockFormat)

    /// What is read.
    var format: BlockFormat {
      switch self {
      case .copy(let format): format
      case .plane(let format): format.firstPlane!
      }
    }
  }

  struct Trial {
    let source: Source
    /// Read by a token, and added to the plan.
    let bytes: Int, addedBytes: Int
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

  /// States that formats are judged by.
  private static let judgedCount = 256

  /// - Parameters:
  ///   - head: the attributes of `lm_head`.
  ///   - numbers: its weights, f32 [V, K], and the format in which it reads them.
  /// - Throws: ``Miss`` when there is nothing smaller than the head to read bounds from.
  static func cheapest(
    _ head: Attributes, _ numbers: Tensor, _ format: BlockFormat, bias: Tensor?, k: Int,
    states: HiddenStates, cost: HeadCost, pool: ThreadPool
  ) throws(Miss) -> (chosen: HeadCertificate, trials: [Trial]) {
    let judged = states.heldOut(judgedCount)
    let (metric, boundMetric) = try Self.metric(states, pool)
    var (best, trials): (HeadCertificate?, [Trial]) = (nil, [])
    var packed: [BlockFormat: Tensor] = [:]
    let sources = try sources(for: format)
    do throws(KernelError) {
      var reached: (top: [Float], k: [Float])?
      for source in sources {
        // The planes of another format hold the numbers of this one, so logits have the same bits.
        let stored = if case .plane(let nested) = source { nested } else { format }
        let rows = packed[stored] ?? HireMeasurement.packed(numbers, stored, pool)
        packed[stored] = rows
        var attributes = head
        attributes["last_only"] = nil
        if stored != .f32 { attributes["weight_format"] = .string(stored.rawValue) }
        if reached == nil { reached = try Self.thresholds(attributes, rows, bias, judged, k, pool) }
        let certificate = try HeadCertificate(
          source, attributes, rows,
          RowBoundTensors(
            WeightMatrix(stored, rows.base, rows: cost.vocabulary, columns: cost.width),
            in: source == .plane(of: stored) ? nil : source.format, metric: boundMetric, pool: pool),
          metric, bias, judged, reached!,
          HeadCost(vocabulary: cost.vocabulary, width: cost.width, format: stored), pool)
        trials.append(certificate.trial)
        if certificate.trial.nanoseconds < best?.trial.nanoseconds ?? .infinity { best = certificate }
      }
    } catch {
      throw Miss("bounds cannot be measured: \(error.message)")
    }
    return (best!, trials)
  }

  /// The format in which the head must be stored, where that matters.
  var headFormat: BlockFormat? { if case .plane(let format) = trial.source { format } else { nil } }

  private init(
    _ source: Source, _ head: Attributes, _ packed: Tensor, _ tensors: RowBoundTensors, _ metric: Tensor,
    _ bias: Tensor?, _ states: Tensor, _ thresholds: (top: [Float], k: [Float]), _ cost: HeadCost,
    _ pool: ThreadPool
  ) throws(KernelError) {
    let capacity = min(cost.vocabulary, max(256, cost.vocabulary / 16))
    (self.tensors, self.metric, self.capacity) = (tensors, metric, capacity)
    var attributes = head
    if case .copy(let format) = source { attributes["bound_format"] = .string(format.rawValue) }
    attributes["capacity"] = .int(capacity)
    self.attributes = attributes
    func counts(_ thresholds: [Float]) throws(KernelError) -> [Int] {
      try RowBoundTrial.counts(
        attributes, packed, tensors, metric: metric, bias: bias, states, thresholds, pool)
    }
    let (topCounts, kCounts) = (try counts(thresholds.top), try counts(thresholds.k))
    let beside = tensors.error.byteCount + metric.byteCount
    let bytes = cost.vocabulary * source.format.rowBytes(cost.width) + beside
    let all = topCounts + kCounts
    let sum = all.reduce(0.0) { $0 + cost.certified(bytes: bytes, rows: $1, capacity: capacity) }
    trial = Trial(
      source: source, bytes: bytes, addedBytes: beside + (tensors.weight?.byteCount ?? 0),
      nanoseconds: sum / Double(max(1, all.count)), topCounts: topCounts.sorted(), kCounts: kCounts.sorted(),
      overflow: Double(all.count { $0 > capacity }) / Double(max(1, all.count)))
  }

  /// What bounds of a head in a format can be read from.
  ///
  /// - Throws: ``Miss`` when there is nothing.
  static func sources(for format: BlockFormat) throws(Miss) -> [Source] {
    let smaller = RowBoundTrial.formats(smallerThan: format)
    guard !smaller.isEmpty else {
      throw Miss("no format is smaller than '\(format)', which bounds are to be read from")
    }
    let planes: [Source] = [.q8b32, .q8n32].contains(format) ? [.plane(of: .q8n32)] : []
    return planes + smaller.map(Source.copy)
  }

  // MARK: Measuring

  /// The largest and the k-th largest logit of every state, with the bits of the head.
  private static func thresholds(
    _ head: Attributes, _ packed: Tensor, _ bias: Tensor?, _ states: Tensor, _ k: Int, _ pool: ThreadPool
  ) throws(KernelError) -> (top: [Float], k: [Float]) {
    var (top, kth): ([Float], [Float]) = ([], [])
    try RowBoundTrial.run("lm_head", head, states, pool, results: [true]) { x, _ in
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
