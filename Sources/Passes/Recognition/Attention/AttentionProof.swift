import GraphIR
import Operators
import Tensors

/// Compares a reading of an attention site with the graph itself, on products and caches of probe numbers.
///
/// `self_attention` is evaluated by its decomposition; caches and result must agree with what the graph computes
/// from the same numbers, for first and later tokens, a batch, and around the edge of a window.
struct AttentionProof {
  let finder: AttentionFinder
  let site: AttentionSite
  let evaluators: ProbeEvaluators
  let readings: AttentionReadings
  let interpreter: Interpreter
  let limit: Int

  /// Largest difference relative to the largest entry: both sides round, in different orders.
  static let tolerance: Float = 1e-4

  func check(_ meaning: AttentionMeaning) throws(Miss) {
    var probes = [
      Probe(rows: 1, past: 0), Probe(rows: 5, past: 0), Probe(rows: 1, past: 7), Probe(rows: 3, past: 4),
    ]
    if finder.isBatchFree { probes.append(Probe(batch: 2, rows: 3, past: 4)) }
    // A long past once for each kind of mask: layers differ in weights, which no probe looks at.
    if limit > 64, readings.provenFarOut.insert(site.masks).inserted {
      probes.append(Probe(rows: 1, past: min(limit, 1024) - 1))
    }
    let window = meaning.mask.window
    if window > 0, window + 3 < limit { probes.append(Probe(rows: 3, past: window - 1)) }
    for (index, probe) in probes.enumerated() { try compare(meaning, probe, seed: UInt64(index + 10)) }
    if finder.signature.mask != nil {
      // New rows count themselves: what a padded row computes is nobody's business.
      let mask = [0, 0, 1, 0, 1, 1, 1]
      try compare(meaning, Probe(rows: 3, past: 4), mask: mask, seed: 31)
    }
    if meaning.readsPositions, !masksReadPositions {
      try compare(meaning, Probe(rows: 5, past: 4), positions: [7, 2, 9, 9, 0], seed: 30)
    }
  }

  /// Whether the mask is made of position ids, which only tell keys apart as long as they follow the past.
  private var masksReadPositions: Bool {
    site.masks.contains { finder.provenance[Int($0.index)].contains(.positions) }
  }

  /// - Parameters:
  ///   - positions: position ids that do not follow the past.
  ///   - mask: an attention mask of one sequence with keys of the past hidden.
  private func compare(
    _ meaning: AttentionMeaning, _ probe: Probe, positions: [Int]? = nil, mask: [Int]? = nil, seed: UInt64
  ) throws(Miss) {
    var evaluator = evaluators[probe]
    if let positions { evaluator = evaluators.moved(probe, to: positions) }
    if let mask, let input = finder.signature.mask { evaluator = evaluators.masked(probe, input, mask) }
    let streams = [
      (meaning.query, meaning.heads), (meaning.key, meaning.keyHeads), (meaning.value, meaning.keyHeads),
    ]
    var products: [ValueID: Tensor] = [:]
    for (index, stream) in streams.enumerated() where products[stream.0.source] == nil {
      guard let width = finder.graph[stream.0.source].type.shape.last?.constant else {
        throw Miss("a product has no known width")
      }
      let tensor = ProbeNoise.tensor([probe.batch, probe.rows, width], seed: seed * 8 + UInt64(index))
      products[stream.0.source] = tensor
      evaluator.set(stream.0.source, tensor)
    }
    let cacheShape = [probe.batch, meaning.keyHeads, probe.past, meaning.size]
    let pasts = [site.keyCache, site.valueCache].enumerated().map { index, cache in
      let tensor = ProbeNoise.tensor(cacheShape, seed: seed * 8 + 5 + UInt64(index))
      evaluator.set(cache.input, tensor)
      return tensor
    }
    let packed = pack(streams.map { (products[$0.0.source]!, $0.0.columns) }, probe)
    let operands = [packed] + pasts + (try parameters(meaning, &evaluator))
    let node = Node(
      "self_attention", operands: operands.map { _ in nil }, results: (0..<3).map { ValueID($0) },
      attributes: meaning.attributes)
    let found: [Tensor?]
    do throws(Interpreter.Failure) {
      found = try interpreter.evaluate(node, operands)
    } catch {
      throw Miss("self_attention refuses it: \(error.message)")
    }
    let expected = [meaning.result, site.keyCache.present, site.valueCache.present]
    for (index, value) in expected.enumerated() {
      let tensor = try evaluator.read(value)
      guard let result = found[index] else { continue }
      let error = Agreement.error(result.array(of: Float.self), tensor.array(of: Float.self))
      guard error <= Self.tolerance else {
        throw Miss(
          "as one node it would differ by \(error) of the largest entry of its"
            + " \(["result", "keys", "values"][index]), with \(probe.past) past and \(probe.rows) new positions"
            + (mask == nil ? "" : " of which some are masked"))
      }
    }
  }

  /// Operands after the caches, in the operator's order.
  private func parameters(_ meaning: AttentionMeaning, _ evaluator: inout ConeEvaluator) throws(Miss)
    -> [Tensor?]
  {
    let values = [
      meaning.queryNorm?.scale, meaning.keyNorm?.scale,
      meaning.readsPositions ? finder.signature.positions : nil,
      meaning.mask.readsKeyMask ? finder.signature.mask : nil,
    ]
    var tensors: [Tensor?] = []
    for value in values {
      guard let value else {
        tensors.append(nil)
        continue
      }
      tensors.append(try evaluator.read(value))
    }
    return [
      tensors[0], tensors[1], meaning.rotary?.cos, meaning.rotary?.sin, tensors[2], tensors[3],
      meaning.mask.slopes.map { Tensor(f32: $0) },
    ]
  }

  /// Query, key and value columns side by side, `[batch, rows, ...]`.
  private func pack(_ streams: [(Tensor, [Int])], _ probe: Probe) -> Tensor {
    var values: [Float] = []
    let arrays = streams.map { $0.0.array(of: Float.self) }
    for row in 0..<probe.batch * probe.rows {
      for (array, stream) in zip(arrays, streams) {
        let width = stream.0.shape[2]
        for column in stream.1 { values.append(array[row * width + column]) }
      }
    }
    let width = streams.reduce(0) { $0 + $1.1.count }
    return Tensor(f32: values, [probe.batch, probe.rows, width])
  }
}
