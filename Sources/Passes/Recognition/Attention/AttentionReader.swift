import GraphIR
import Operators
import Tensors

/// Finds out what an attention site means by evaluating pieces of it.
///
/// 1. Extents at one size give head counts and the head size.
/// 2. A product whose entries are their own column numbers shows which columns become which head.
/// 3. Ones and zeros in place of (normalized) keys show rotary positions; queries must turn by the same tables.
/// 4. A score product of zeros leaves the mask.
/// 5. The constant factors of queries, keys and scores make one scale.
///
/// The caller then compares all of it with the graph (``AttentionProof``): a wrong reading cannot pass.
struct AttentionReader {
  let finder: AttentionFinder
  let site: AttentionSite
  let evaluators: ProbeEvaluators
  let readings: AttentionReadings
  let interpreter: Interpreter
  /// Longest context.
  let limit: Int

  private static let rows = 13
  private static let past = 3
  private var probe: Probe { Probe(rows: Self.rows, past: Self.past) }

  func meaning() throws(Miss) -> AttentionMeaning {
    var base = evaluators[probe]
    for source in Set([site.query.source, site.key.source, site.value.source]) {
      base.set(source, zeros(source, base))
    }
    let update = try evaluated(site.keyCache.update, base).shape
    guard update.count == 4, update[2] == Self.rows,
      try evaluated(site.valueCache.update, base).shape == update
    else {
      throw Miss("new keys \(update) and values differ in shape, or are not [batch, heads, rows, size]")
    }
    let (keyHeads, size) = (update[1], update[3])
    let queryCount = try evaluated(site.query.end, base).elementCount
    guard keyHeads > 0, size > 0, queryCount % (Self.rows * size * keyHeads) == 0 else {
      throw Miss("\(queryCount / Self.rows) query entries do not fit \(keyHeads) key heads of \(size)")
    }
    let heads = queryCount / Self.rows / size
    let query = try projection(site.query.source, below: site.query.end, heads: heads, size: size)
    let key = try projection(
      site.key.source, below: site.keyCache.update, heads: keyHeads, size: size)
    let value = try projection(
      site.value.source, below: site.valueCache.update, heads: keyHeads, size: size)

    // Keys first: what the cache holds must be kept as it is.
    let keyNorm = try norm(below: site.keyCache.update, size)
    let queryNorm = try norm(below: site.query.end, size)
    let keyStart = keyNorm?.result ?? key.view
    let angles = angleValues(below: site.keyCache.update, from: keyStart)
    let rotary = try tables(angles, from: keyStart, heads: keyHeads, size: size)
    guard keyNorm == nil || queryNorm == nil || keyNorm?.epsilon == queryNorm?.epsilon else {
      throw Miss("the norms of queries and keys have different epsilons")
    }
    let factor = try queryFactor(queryNorm?.result ?? query.view, rotary, heads: heads, size: size)
    let scale =
      (site.scale ?? 1 / Float(size).squareRoot()) * factor * (try cacheFactor(heads: heads, keyHeads, size))
    return AttentionMeaning(
      heads: heads, keyHeads: keyHeads, size: size,
      query: .init(source: site.query.source, columns: query.columns),
      key: .init(source: site.key.source, columns: key.columns),
      value: .init(source: site.value.source, columns: value.columns), queryNorm: queryNorm, keyNorm: keyNorm,
      rotary: rotary, readsPositions: try readsPositions(angles), scale: scale, softcap: site.softcap,
      mask: try mask(heads: heads), result: try result(heads * size))
  }

  // MARK: Evaluation

  private func evaluated(_ value: ValueID, _ evaluator: ConeEvaluator) throws(Miss) -> Tensor {
    var evaluator = evaluator
    return try evaluator.read(value)
  }

  private func zeros(_ source: ValueID, _ evaluator: ConeEvaluator) -> Tensor {
    Tensor(.f32, evaluator.shape(source) ?? [1, Self.rows, 1])
  }

  /// What rows put in at `start` become at `end`.
  ///
  /// - Parameter positions: position ids that do not follow the past.
  private func response(
    _ rows: HeadRows, at start: ValueID, _ end: ValueID, past: Int, positions: [Int]? = nil
  ) throws(Miss) -> HeadRows {
    let probe = Probe(rows: rows.rows, past: past)
    var evaluator = positions.map { evaluators.moved(probe, to: $0) } ?? evaluators[probe]
    if start != site.query.source, start != site.key.source {
      // The extents of the starting point, should its type not tell them.
      for source in [site.query.source, site.key.source] { evaluator.set(source, zeros(source, evaluator)) }
    }
    var extents = evaluator.shape(start)
    if extents == nil { extents = try evaluated(start, evaluator).shape }
    let shape = extents ?? []
    guard let tensor = rows.tensor(shape) else {
      throw Miss("'\(finder.graph[start].name)' has extents \(shape), which are no rows of heads")
    }
    evaluator.set(start, tensor)
    let answer = try evaluated(end, evaluator)
    guard let result = HeadRows(answer, rows: rows.rows, heads: rows.heads, size: rows.size) else {
      throw Miss("'\(finder.graph[end].name)' has extents \(answer.shape), which are no rows of heads")
    }
    return result
  }

  // MARK: Streams

  /// The last view of a product that is nothing but its entries in another order, and the column of each entry.
  private func projection(_ source: ValueID, below end: ValueID, heads: Int, size: Int) throws(Miss)
    -> (view: ValueID, columns: [Int])
  {
    let graph = finder.graph
    let cone = finder.cone(below: end, stops: [source])
    var view = source
    while view != end {
      let readers = finder.readers(of: view).filter { id in
        graph[id].results.contains { $0.map(cone.contains) ?? false }
      }
      guard readers.count == 1, let id = readers.first else { break }
      let results = graph[id].results.compactMap { $0 }.filter(cone.contains)
      guard results.count == 1,
        AttentionFinder.movements.union(["split", "slice", "gather"]).contains(graph[id].operation)
      else { break }
      view = results[0]
    }
    var evaluator = evaluators[probe]
    guard let shape = evaluator.shape(source), let width = shape.last, width > 0 else {
      throw Miss("the product '\(graph[source].name)' has no known width")
    }
    let columns = (0..<shape.reduce(1, *)).map { Float($0 % width) }
    evaluator.set(source, Tensor(f32: columns, shape))
    let tensor = try evaluated(view, evaluator)
    guard let rows = HeadRows(tensor, rows: Self.rows, heads: heads, size: size) else {
      throw Miss("'\(graph[view].name)' has extents \(tensor.shape), need \(heads) heads of \(size)")
    }
    let first = rows.values.prefix(heads * size).map { Int($0) }
    for row in 1..<Self.rows
    where rows.values[row * heads * size..<(row + 1) * heads * size].map({ Int($0) }) != first {
      throw Miss("rows of '\(graph[view].name)' are not rows of a product with constants")
    }
    return (view, first)
  }

  /// The normalization of heads on the way to a value, if there is one.
  private func norm(below end: ValueID, _ size: Int) throws(Miss) -> HeadNorm? {
    let graph = finder.graph
    let cone = finder.cone(below: end, stops: [site.query.source, site.key.source])
    let norms = graph.order.filter { id in
      graph[id].operation == "rms_normalization" && (graph[id].results[0].map(cone.contains) ?? false)
    }
    guard let id = norms.first else { return nil }
    guard norms.count == 1, let scale = graph[id].operands[1], let result = graph[id].results[0],
      graph[scale].type.shape == [Dim(size)], !finder.isData(scale)
    else { throw Miss("heads are normalized more than once, or not by one vector of \(size) factors") }
    return HeadNorm(
      scale: scale, epsilon: graph[id].attributes.float("epsilon", default: 1e-5), result: result)
  }

  /// Values other than the data that a stream is combined with: cosines and sines.
  private func angleValues(below end: ValueID, from start: ValueID) -> Set<ValueID> {
    let graph = finder.graph
    var values: Set<ValueID> = []
    for value in finder.cone(below: end, stops: [start]) where value != start {
      guard let producer = graph.producer(of: value) else { continue }
      for case let operand? in graph[producer].operands
      where !finder.isData(operand) && graph[operand].type.element.isFloatingPoint {
        values.insert(operand)
      }
    }
    return values
  }

  private func readsPositions(_ angles: Set<ValueID>) throws(Miss) -> Bool {
    let union = angles.reduce(into: Provenance()) { $0.formUnion(finder.provenance[Int($1.index)]) }
    guard !union.contains(.mask) else {
      throw Miss("rotary positions are counted from the attention mask")
    }
    return union.contains(.positions)
  }

  // MARK: Factors

  /// The factor of queries besides rotation.
  private func queryFactor(_ start: ValueID, _ rotary: RotaryTables?, heads: Int, size: Int) throws(Miss)
    -> Float
  {
    let rows = HeadRows(rows: Self.rows, heads: heads, size: size, seed: 2)
    var factors: [Float] = []
    // Also far out: a scale may change with the position.
    let end = min(limit, rotary?.cos.shape[0] ?? limit) - Self.rows
    for past in Set([Self.past, end / 2, end].map { max(0, $0) }).sorted() {
      let answer = try response(rows, at: start, site.query.end, past: past)
      let expected = rotary?.rotated(rows, positions: Array(past..<past + Self.rows)).values ?? rows.values
      guard let factor = Agreement.factor(answer.values, expected, tolerance: 1e-5) else {
        throw Miss(
          haveFactorPerHead(answer, expected)
            ? "the scores of the heads have different scales, need one for all"
            : "queries are not turned by the angles that keys are turned by")
      }
      factors.append(factor)
    }
    guard factors.allSatisfy({ abs($0 - factors[0]) <= 1e-5 * abs(factors[0]) }) else {
      throw Miss("the factor of queries depends on their position")
    }
    return factors[0]
  }

  /// Whether every head is what is expected times a number of its own.
  private func haveFactorPerHead(_ found: HeadRows, _ expected: [Float]) -> Bool {
    (0..<found.heads).allSatisfy { head in
      func entries(_ values: [Float]) -> [Float] {
        (0..<found.rows).flatMap { row -> ArraySlice<Float> in
          let start = (row * found.heads + head) * found.size
          return values[start..<start + found.size]
        }
      }
      return Agreement.factor(entries(found.values), entries(expected), tolerance: 1e-5) != nil
    }
  }

  /// The factor between cached keys and the keys that scores read; heads must be repeated in order.
  private func cacheFactor(heads: Int, _ keyHeads: Int, _ size: Int) throws(Miss) -> Float {
    let keys = Self.past + Self.rows
    func read(_ cache: AttentionSite.Cache, _ end: ValueID) throws(Miss) -> Float {
      let cached = HeadRows(rows: keys, heads: keyHeads, size: size, seed: 3)
      var evaluator = evaluators[probe]
      guard let tensor = cached.tensor([1, keyHeads, keys, size]) else { return 1 }
      evaluator.set(cache.present, tensor)
      let found = try evaluated(end, evaluator)
      for expected in repeated(cached, heads) {
        if found.elementCount == expected.count,
          let factor = Agreement.factor(found.array(of: Float.self), expected, tolerance: 1e-5)
        {
          return factor
        }
      }
      throw Miss("cached heads are not repeated in order: extents \(found.shape)")
    }
    guard try read(site.valueCache, site.value.end) == 1 else { throw Miss("cached values are scaled") }
    return try read(site.keyCache, site.key.end)
  }

  /// Cached rows as products may read them: heads as they are or repeated, rows or columns first.
  private func repeated(_ cached: HeadRows, _ heads: Int) -> [[Float]] {
    var layouts: [[Float]] = []
    for count in Set([heads, cached.heads]) {
      let group = count / cached.heads
      var rowsLast: [Float] = []
      var rowsFirst: [Float] = []
      for head in 0..<count {
        for row in 0..<cached.rows {
          for index in 0..<cached.size { rowsFirst.append(cached[row, head / group, index]) }
        }
        for index in 0..<cached.size {
          for row in 0..<cached.rows { rowsLast.append(cached[row, head / group, index]) }
        }
      }
      layouts += [rowsFirst, rowsLast]
    }
    return layouts
  }

  /// The tables for these cosines and sines, read once for all layers.
  private func tables(_ angles: Set<ValueID>, from start: ValueID, heads: Int, size: Int) throws(Miss)
    -> RotaryTables?
  {
    if let known = readings.tables[angles], !angles.isEmpty { return known }
    let found = try RotaryReader(
      heads: heads, size: size, limit: limit,
      response: { (rows: HeadRows, past: Int, positions: [Int]?) throws(Miss) -> HeadRows in
        try response(rows, at: start, site.keyCache.update, past: past, positions: positions)
      }, readsPositions: try readsPositions(angles)
    ).tables()
    readings.tables[angles] = .some(found)
    return found
  }

  // MARK: Mask

  /// The meaning of the mask, read once for all layers.
  private func mask(heads: Int) throws(Miss) -> MaskMeaning {
    var limits: [Int] = []
    if case .node(let attributes, _) = site.scores {
      limits = ["is_causal", "left_window_size", "right_window_size", "queries_at_end"].map {
        attributes.int($0, default: -1)
      }
    }
    let key = AttentionReadings.MaskKey(values: site.masks, heads: heads, limits: limits)
    if let known = readings.masks[key] { return known }
    let reader = MaskReader(
      bias: { (probe: Probe, mask: [Int]?) throws(Miss) -> ScoreBias in
        try bias(probe, mask, heads: heads)
      }, dependsOnMask: site.masks.contains { finder.provenance[Int($0.index)].contains(.mask) },
      isBatchFree: finder.isBatchFree, hints: hints(), limit: limit)
    let meaning = try reader.meaning()
    readings.masks[key] = meaning
    return meaning
  }

  private func bias(_ probe: Probe, _ mask: [Int]?, heads: Int) throws(Miss) -> ScoreBias {
    var evaluator = evaluators[probe]
    if let mask, let input = finder.signature.mask {
      evaluator = evaluators.masked(probe, input, mask)
    }
    let keys = probe.past + probe.rows
    let shape = [probe.batch, heads, probe.rows, keys]
    let added: [Float]
    switch site.scores {
    case .product(let product, let logits):
      evaluator.set(
        product,
        Tensor(.f32, finder.graph[product].type.rank == 3 ? [shape[0] * shape[1], shape[2], keys] : shape))
      let tensor = try evaluated(logits, evaluator)
      guard tensor.elementCount == shape.reduce(1, *) else {
        throw Miss("the logits have extents \(tensor.shape), need \(shape)")
      }
      added = tensor.array(of: Float.self)
    case .node(let attributes, let mask):
      added = try bias(of: attributes, mask, shape, evaluator)
    }
    return ScoreBias(
      probe: probe, heads: heads,
      values: added.map { $0.isNaN || $0 < MaskReader.exclusion ? -.infinity : $0 })
  }

  /// The bias that an `attention` node's attributes and mask make: its scores where every product is 0.
  private func bias(of attributes: Attributes, _ mask: ValueID?, _ shape: [Int], _ evaluator: ConeEvaluator)
    throws(Miss) -> [Float]
  {
    var attributes = attributes
    attributes["qk_matmul_output_mode"] = .int(2)
    let queries = Tensor(.f32, [shape[0], shape[1], shape[2], 1])
    let keys = Tensor(.f32, [shape[0], shape[1], shape[3], 1])
    let node = Node(
      "attention", operands: [], results: [ValueID(0), nil, nil, ValueID(1)], attributes: attributes)
    var given: Tensor?
    if let mask { given = try evaluated(mask, evaluator) }
    do throws(Interpreter.Failure) {
      return try interpreter.evaluate(node, [queries, keys, keys, given])[3]!.array(of: Float.self)
    } catch {
      throw Miss("its scores cannot be evaluated: \(error.message)")
    }
  }

  /// Whole numbers that the masks are made of.
  private func hints() -> [Int] {
    var seen = Set(site.masks)
    var pending = site.masks
    var hints: Set<Int> = []
    while let value = pending.popLast() {
      if let number = evaluators.integer(value) { hints.insert(number) }
      guard let producer = finder.graph.producer(of: value) else { continue }
      for case let operand? in finder.graph[producer].operands where seen.insert(operand).inserted {
        pending.append(operand)
      }
    }
    if case .node(let attributes, _) = site.scores, let left = attributes.int("left_window_size"), left >= 0 {
      hints.insert(left + 1)
    }
    return hints.filter { abs($0) > 1 && abs($0) < limit }.map { abs($0) }.sorted().suffix(32)
  }

  // MARK: Result

  /// The view of the weighted sum that has heads side by side.
  private func result(_ width: Int) throws(Miss) -> ValueID {
    for view in site.results.reversed() {
      let type = finder.graph[view].type
      if type.rank == 3, type.shape[2] == Dim(width) { return view }
    }
    throw Miss("the heads of the result are not laid side by side as [batch, rows, \(width)]")
  }
}

extension HeadRows {
  subscript(row: Int, head: Int, index: Int) -> Float { values[(row * heads + head) * size + index] }
}
