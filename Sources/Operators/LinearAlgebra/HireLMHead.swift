import GraphIR
import Kernels
import Tensors

/// The largest logits of a vocabulary with their ids, found with a predictor (HiRE softmax).
///
///     logits, ids, log_normalizer = hire_lm_head(x, weight, projection, scan, row_ids, rows, bias)
///
/// `projection` [R, K] takes x to coordinates by importance; `scan` holds the first `scan_rank` coordinates
/// of all V predictor rows in panels of small codes, `rows` all of them in `rows_format` (q8b32 when absent),
/// and `row_ids` the row of `weight` that each stands for. Predictor rows are cut into shards of
/// `shard_rows`. Of each shard the best `survivors` by `scan` are scored by `rows`, and the best `candidates`
/// of these are computed exactly: `softcap(weight x + bias)`, shards times candidates of them, a shard's
/// behind the one before it. Without `rows` the scores by `scan` choose the candidates too. `log_normalizer`
/// is log(S + T) with S the sum of exp(logit) over candidates, and log(T / S) = tail_bias + tail_slope log(s
/// / S), s being the sum of exp(score) over the other survivors.
///
/// The exact meaning is the definition that is decomposed into: the largest logits of all, in order, and the
/// logarithm of the sum of all exponentials. The kernel may miss some, and gives them in another order.
struct HireLMHead: Operator {
  let schema = OperatorSchema(
    "hire_lm_head",
    "The largest of softcap(weight x + bias) with their ids, found with a predictor, and log sum exp of all.",
    operands: ["x", "weight", "projection", "scan", "row_ids", "rows?", "bias?"], results: 1...3,
    attributes: [
      "weight_format": .string, "rows_format": .string, "scan_rank!": .int, "scan_bits!": .int,
      "shard_rows!": .int,
      "survivors": .int, "candidates!": .int, "softcap": .float, "last_only": .int,
      "tail_bias": .float, "tail_slope": .float,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, projection) = (try call.type(0), try call.type(2))
    guard x.rank == 3 else { throw OperatorError("x is \(x), accepted is [B, S, K]") }
    let settings = try HireSettings(call.attributes, orThrow: { OperatorError($0) })
    let length = settings.isLastOnly ? Dim(1) : x.shape[1]
    if x.shape[1].constant == 0, length == 1 { throw OperatorError("x is \(x): there is no last row") }
    let outputs = try MatrixRules.outputs(call, weight: 1, format: "weight_format", bias: 6)
    guard let vocabulary = outputs.constant else {
      throw OperatorError("the vocabulary must be known, the weight has \(outputs) rows")
    }
    guard projection.element == .f32, projection.rank == 2, let rank = projection.shape[0].constant,
      rank % 32 == 0, rank >= settings.panels.rank
    else {
      throw OperatorError(
        "the projection is \(projection), accepted is f32[R, K], R a multiple of 32 and at least"
          + " \(settings.panels.rank)")
    }
    try call.require(2, shape: [projection.shape[0], x.shape[2]])
    try call.require(
      3, .u8, [settings.panels.count(rows: vocabulary), settings.panels.byteCount], "the scan")
    try call.require(4, .i32, [vocabulary], "'row_ids'")
    if call.has(5) {
      try call.require(5, .u8, [vocabulary, settings.rowsFormat.rowBytes(rank)], "'rows'")
    }
    let found = [x.shape[0], length, Dim(settings.shardCount(vocabulary) * settings.candidates)]
    return [ValueFact(.f32, found), ValueFact(.i32, found), ValueFact(.f32, [x.shape[0], length])]
  }

  /// Rows of later stages count as far as they are chosen, for every row of x anew.
  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    guard let x = operands[0], let weight = operands[1], let projection = operands[2], let found = results[0],
      operands.count > 4, let settings = try? HireSettings(attributes, orThrow: { OperatorError($0) }),
      let vocabulary = weight.shape[0].constant
    else { return Work(flops: 0, moving: operands + results) }
    func part(_ type: TensorType?, _ rows: Dim) -> TensorType? {
      type.map { TensorType($0.element, [rows] + $0.shape.dropFirst()) }
    }
    let queries = found.shape.dropLast().reduce(Dim(1), *)
    let exact = found.elementCount
    let rows = operands.count > 5 ? operands[5] : nil
    let survivors = rows == nil ? Dim(0) : queries * (settings.shardCount(vocabulary) * settings.survivors)
    let products =
      queries * projection.elementCount + queries * (vocabulary * settings.panels.rank)
      + survivors * (projection.shape[0]) + exact * (x.shape.last ?? 1)
    return Work(
      flops: products * 2,
      moving: [x, projection, operands[3], part(rows, survivors), part(weight, exact)] + results)
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let settings = try HireSettings(node.attributes, orThrow: { OperatorError($0) })
    var attributes: [String: AttributeValue] = [:]
    for name in ["weight_format", "softcap", "last_only"] { attributes[name] = node.attributes[name] }
    var logits = try builder(
      "lm_head", node.operands[0], node.operands[1], node.operands.count > 6 ? node.operands[6] : nil,
      attributes: attributes)
    let type = builder.type(logits)
    guard let vocabulary = type.shape[2].constant else {
      throw OperatorError("the vocabulary must be known, found \(type)")
    }
    if type.element != .f32 { logits = try builder("cast", logits, attributes: ["to": .element(.f32)]) }
    let count = settings.shardCount(vocabulary) * settings.candidates
    let best = try builder.add(
      "top_k", [logits, builder.constant([min(count, vocabulary)])], resultCount: 2)
    var values = best[0]!
    var ids = try builder("cast", best[1], attributes: ["to": .element(.i32)])
    if count > vocabulary {
      let pads = builder.constant([0, 0, 0, 0, 0, count - vocabulary])
      values = try builder("pad", values, pads, builder.constant(-.infinity, like: values))
      ids = try builder("pad", ids, pads, builder.constant(-1, like: ids))
    }
    let normalizer = try builder(
      "reduce_log_sum_exp", logits, builder.constant([-1]), attributes: ["keepdims": .int(0)])
    return [values, ids, normalizer]
  }
}
