import GraphIR
import Kernels
import Operators
import Tensors

/// Forms of the head that are not in the product beside the chosen one, run on held-out states and timed.
///
///     plane                scores of all rows by the head's high nibbles -> candidates of all
///     low rank and plane   scan -> survivors of each shard, by high nibbles -> candidates of each
///     windows              the scan's survivors from the largest of each w rows (``WindowSelection``)
///
/// A time is the median of a state alone whose weights come from memory.
struct FormComparison {
  let predictor: HirePredictor
  private let attributes: Attributes
  /// The head in nested planes, and in the format of 8 bits that the chosen form reads.
  private let nested: Tensor, packed: Tensor
  let bias: Tensor?
  let basis: HeadBasis, weights: Tensor
  /// f32 [N, K].
  let judged: Tensor
  let ranks: PredictorRanks
  let pool: ThreadPool

  typealias Select =
    @convention(c) (Int, UnsafePointer<Float>, Int, UnsafeMutablePointer<UInt32>) -> Void
  let select = MicroKernel.best("select_f32").pointer(as: Select.self)
  /// More than the caches hold is read before a state is timed.
  private let memory = ReadBandwidth(byteCount: 128 << 20)

  /// - Parameter attributes: those of the chosen `hire_lm_head`.
  init(
    _ predictor: HirePredictor, _ attributes: Attributes, _ basis: HeadBasis, weights: Tensor, bias: Tensor?,
    _ judged: Tensor, _ ranks: PredictorRanks, _ pool: ThreadPool
  ) {
    (self.predictor, self.attributes, self.basis, self.weights) = (predictor, attributes, basis, weights)
    (self.bias, self.judged, self.ranks, self.pool) = (bias, judged, ranks, pool)
    nested = HireMeasurement.packed(weights, .q8n32, pool)
    packed = HireMeasurement.packed(weights, .q8b32, pool)
  }

  /// How far down the best tokens stand by the high nibbles of the head (see ``PredictorRanks/ranks(_:)``).
  static func ranks(_ judged: Tensor, _ weights: Tensor, _ bias: Tensor?, _ k: Int, _ pool: ThreadPool)
    -> [Int32]
  {
    let width = weights.shape[1]
    let unit = HeadBasis(orthogonal: PredictorComparison.unit(width), width: width)
    return PredictorRanks(judged, weights, bias: bias, k: k, basis: unit, pool: pool)
      .ranks(PredictorTrial(rank: width, coding: .plane))
  }

  /// A row per form: bytes of a token, microseconds, share of the top 1 and the top k among the candidates.
  func table(_ chosen: HeadSearch.Option, _ others: [HeadSearch.Option]) throws(Miss) -> [String] {
    var lines = [
      "forms on \(ranks.count) held-out states: MB, microseconds of one from memory, recall of the top"
        + " 1/\(ranks.k)"
    ]
    do throws(KernelError) {
      for option in [chosen] + others { lines.append(try row(option, isChosen: option.form == chosen.form)) }
    } catch {
      throw Miss("forms cannot be compared: \(error.message)")
    }
    return lines + selections(chosen.form)
  }

  private func row(_ option: HeadSearch.Option, isChosen: Bool) throws(KernelError) -> String {
    let form = option.form
    var seconds: [Double] = []
    var (top, all) = (RunningMean(), RunningMean())
    let find = isChosen ? try chosenForm() : form.rows == nil ? planeForm(form) : try combinedForm(form)
    for state in 0..<ranks.count {
      _ = memory.measure(pool)
      let start = ContinuousClock.now
      let candidates = try find(state)
      seconds.append((ContinuousClock.now - start) / .seconds(1))
      let found = Set(candidates)
      let best = ranks.tokens[(state * ranks.k)..<((state + 1) * ranks.k)]
      top.add(found.contains(best.first!) ? 1 : 0)
      all.add(Double(best.count { found.contains($0) }) / Double(ranks.k))
    }
    let second = form.rows.map { " -> \(form.survivors) per shard -> \($0)" } ?? ""
    return "  \(form.scan)\(second) -> \(form.candidates) per shard: \(HireSoftmax.megabytes(option.bytes)),"
      + " \(Int(seconds.sorted()[seconds.count / 2] * 1e6)) us, \(HireSoftmax.rounded(top.mean))"
      + "/\(HireSoftmax.rounded(all.mean))"
  }

  // MARK: Forms

  /// The tokens that a form finds of a state.
  private typealias Finder = (_ state: Int) throws(KernelError) -> [Int32]

  private func state(_ index: Int) -> Tensor {
    let width = judged.shape[1]
    return Tensor(.f32, [1, 1, width], storage: judged.storage, offset: judged.offset + index * width * 4)
  }

  private func runner(_ attributes: Attributes) throws(KernelError) -> KernelRunner {
    guard let entry = KernelTable.entries["hire_lm_head"] else {
      throw .unsupported("there is no such kernel")
    }
    return KernelRunner(try entry.prepare(attributes), pool: pool)
  }

  private func chosenForm() throws(KernelError) -> Finder {
    var attributes = attributes
    attributes["weight_format"] = .string(BlockFormat.q8b32.rawValue)
    let runner = try runner(attributes)
    return { (index) throws(KernelError) in
      try runner.run(
        [
          self.state(index), packed, predictor.projection, predictor.scan, predictor.rowIDs, predictor.rows,
          bias,
        ], results: [true, true, true])[1]!.array(of: Int32.self)
    }
  }

  /// The head of one stage whose exact rows are high nibbles scores the survivors.
  private func combinedForm(_ form: HireForm) throws(KernelError) -> Finder {
    let plane = Tensor(
      .u8, [weights.shape[0], BlockFormat.q4n32.rowBytes(weights.shape[1])], storage: nested.storage,
      offset: nested.offset)
    let first = HireForm(
      scan: form.scan, rows: nil, shardRows: form.shardRows, survivors: form.survivors,
      candidates: form.survivors)
    let predictor = HirePredictor(first, basis, weights: weights, pool: pool)
    var attributes = HireSoftmax.attributes(first, Attributes())
    attributes["weight_format"] = .string(BlockFormat.q4n32.rawValue)
    let runner = try runner(attributes)
    return { (index) throws(KernelError) in
      let x = self.state(index)
      let found = try runner.run(
        [x, plane, predictor.projection, predictor.scan, predictor.rowIDs, nil, bias],
        results: [true, true, true])
      let (scores, ids) = (found[0]!.array(of: Float.self), found[1]!.array(of: Int32.self))
      var chosen: [Int32] = []
      for start in stride(from: 0, to: ids.count, by: form.survivors) {
        let end = min(start + form.survivors, ids.count)
        chosen += best(scores[start..<end], form.candidates).map { ids[start + $0] }
      }
      computeExactly(x, chosen.filter { $0 >= 0 })
      return chosen
    }
  }

  private func planeForm(_ form: HireForm) -> Finder {
    let (vocabulary, width) = (weights.shape[0], weights.shape[1])
    let plane = WeightMatrix(.q4n32, nested.base, rows: vocabulary, columns: width)
    let scores = Tensor(.f32, [vocabulary])
    let numbers = scores.base.assumingMemoryBound(to: Float.self)
    let bias = bias.map { UnsafePointer($0.base.assumingMemoryBound(to: Float.self)) }
    let resources = Resources(pool: pool)
    let count = (vocabulary + form.shardRows - 1) / form.shardRows * form.candidates
    return { (index) throws(KernelError) in
      resources.reset()
      let x = self.state(index)
      let activations = Activations(
        UnsafePointer(x.base.assumingMemoryBound(to: Float.self)), rows: 1, inner: width, for: .q4n32,
        resources: resources)
      WeightProduct(activations, plane, bias: bias, y: numbers).run(resources)
      // Neighbours of a vocabulary are found together, so quotas of shards would not do.
      let chosen = best(scores.array(of: Float.self)[...], count).map { Int32($0) }
      computeExactly(x, chosen)
      return chosen
    }
  }

  /// The places of the largest numbers.
  private func best(_ numbers: ArraySlice<Float>, _ count: Int) -> [Int] {
    let count = min(count, numbers.count)
    return numbers.withUnsafeBufferPointer { numbers in
      [UInt32](unsafeUninitializedCapacity: count) { places, initialized in
        select(numbers.count, numbers.baseAddress!, count, places.baseAddress!)
        initialized = count
      }.map { Int($0) }
    }
  }

  /// The logits of candidates, of which only the time counts.
  private func computeExactly(_ x: Tensor, _ ids: [Int32]) {
    let resources = Resources(pool: pool)
    let head = WeightMatrix(.q8n32, nested.base, rows: weights.shape[0], columns: weights.shape[1])
    let activations = Activations(
      UnsafePointer(x.base.assumingMemoryBound(to: Float.self)), rows: 1, inner: head.columns, for: .q8n32,
      resources: resources)
    let logits = UnsafeMutablePointer<Float>.allocate(capacity: max(1, ids.count))
    defer { logits.deallocate() }
    let piece = 64
    ids.withUnsafeBufferPointer { ids in
      guard let list = ids.baseAddress else { return }
      nonisolated(unsafe) let (first, activations, head, logits) = (list, activations, head, logits)
      pool.forEach((ids.count + piece - 1) / piece) { index in
        let start = index * piece
        ListedRows(head).multiply(
          activations, row: 0, first + start, min(piece, ids.count - start), logits + start)
      }
    }
  }
}
