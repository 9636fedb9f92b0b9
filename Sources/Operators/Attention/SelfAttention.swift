import GraphIR
import Tensors

/// Attention of a decoder layer over its cache, from the packed projections of its input.
///
///     q, k, v = columns of qkv: H heads of queries, then G of keys, then G of values, each of size d
///     q, k    = rms_normalization per head where scales are given, then rotary_embedding where cos and sin are
///     present = past followed by k (by v) on axis 2
///     score   = softcap(scale * q . k) + slopes[h] * j          softcap(z) = c tanh(z / c)
///     y       = softmax(score over allowed keys) . v
///
/// Row `s` stands at key position `p = P + s`, where `P` is the length of the past. It may see key `j` when
/// `j <= p` (causal), `p - window < j` and `key_mask[b, j]` is not 0. A row that may see none is zero. Angles
/// are those of `position_ids`, or of the positions `p` without them.
///
/// Results: y `[B, S, H * d]`, present_key and present_value `[B, G, P + S, d]`. Where the past is f16 and
/// qkv f32, new entries are clipped to -65504...65504 and rounded to nearest, ties to even, before they join
/// it, and attention reads them, the new ones too, as they are kept.
struct SelfAttention: Operator {
  let schema = OperatorSchema(
    "self_attention", "Attention over a cache from packed q, k, v, with norms, rotary positions and masks.",
    operands: [
      "qkv", "past_key?", "past_value?", "query_scale?", "key_scale?", "cos?", "sin?", "position_ids?",
      "key_mask?", "slopes?",
    ],
    results: 1...3,
    attributes: [
      "num_heads!": .int, "kv_num_heads!": .int, "scale": .float, "softcap": .float, "window": .int,
      "is_causal": .int, "interleaved": .int, "epsilon": .float,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let qkv = try call.type(0)
    let (heads, groups) = (try call.requiredInt("num_heads"), try call.requiredInt("kv_num_heads"))
    guard heads > 0, groups > 0, heads % groups == 0 else {
      throw OperatorError("\(heads) query heads cannot share \(groups) key heads")
    }
    let parts = heads + 2 * groups
    guard qkv.rank == 3, (qkv.shape[2].constant ?? 0) % parts == 0 else {
      throw OperatorError("qkv is \(qkv), accepted is [B, S, (\(heads) + 2 * \(groups)) * d]")
    }
    let size = qkv.shape[2] / Dim(parts)
    for operand in [3, 4, 5, 6, 9] where call.has(operand) {
      try call.requireEqualElements(0, operand)
    }
    let present = try checkCache(call, batch: qkv.shape[0], rows: qkv.shape[1], groups, size)
    for operand in 3...4 { try call.require(operand, shape: [size]) }
    try checkRotation(call, batch: qkv.shape[0], rows: qkv.shape[1], size)
    try checkMasks(call, batch: qkv.shape[0], keys: present[2], heads)
    let cache = ValueFact(call.has(1) ? try call.type(1).element : qkv.element, present)
    return [ValueFact(qkv.element, [qkv.shape[0], qkv.shape[1], size * heads]), cache, cache]
  }

  /// The shape of the caches with the new rows.
  private func checkCache(
    _ call: InferenceCall, batch: Dim, rows: Dim, _ groups: Int, _ size: Dim
  ) throws(OperatorError) -> [Dim] {
    guard call.has(1) == call.has(2) else {
      throw OperatorError("'past_key' and 'past_value' must be given together")
    }
    guard call.has(1) else { return [batch, Dim(groups), rows, size] }
    let past = try call.type(1)
    guard past.rank == 4 else { throw OperatorError("'past_key' is \(past), accepted is [B, heads, P, d]") }
    let element = try call.type(0).element
    guard past.element == element || (element == .f32 && past.element == .f16) else {
      throw OperatorError(
        "'past_key' is \(past), accepted is \(element)\(element == .f32 ? " or f16" : "")")
    }
    try call.requireEqualElements(1, 2)
    for operand in 1...2 {
      try call.require(operand, shape: [batch, Dim(groups), past.shape[2], size])
    }
    return [batch, Dim(groups), past.shape[2] + rows, size]
  }

  private func checkRotation(
    _ call: InferenceCall, batch: Dim, rows: Dim, _ size: Dim
  ) throws(OperatorError) {
    guard call.has(5) == call.has(6) else { throw OperatorError("'cos' and 'sin' must be given together") }
    guard call.has(5) else {
      if call.has(7) { throw OperatorError("'position_ids' are given without 'cos' and 'sin'") }
      return
    }
    let cos = try call.type(5)
    guard cos.rank == 2 else { throw OperatorError("'cos' is \(cos), accepted is [positions, r / 2]") }
    try call.require(6, shape: cos.shape)
    if let half = cos.shape[1].constant, let size = size.constant, 2 * half > size {
      throw OperatorError("'cos' is \(cos) for heads of \(size), accepted are up to \(size / 2) columns")
    }
    guard call.has(7) else { return }
    let ids = try call.type(7)
    try ShapeRules.require(ids, "i64 and i32") { $0 == .i64 || $0 == .i32 }
    try call.require(7, shape: [ids.shape.first == 1 ? 1 : batch, rows])
  }

  private func checkMasks(_ call: InferenceCall, batch: Dim, keys: Dim, _ heads: Int) throws(OperatorError) {
    let window = call.attributes.int("window", default: 0)
    guard window >= 0, window == 0 || call.attributes.bool("is_causal", default: true) else {
      throw OperatorError("'window' is \(window), accepted are 0, and numbers of keys when causal")
    }
    try call.require(9, shape: [Dim(heads)])
    guard call.has(8) else { return }
    try ShapeRules.require(try call.type(8), "bool, i64 and i32") { $0 == .bool || $0 == .i64 || $0 == .i32 }
    try call.require(8, shape: [batch, keys])
  }

  /// Two products of each row with every key, and what is read and written; of caches the present ones, once.
  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let facts = operands.map { $0.map { ValueFact($0) } }
    let call = InferenceCall(facts, attributes, resultCount: 3, symbols: SymbolSource())
    guard let types = (try? infer(call))?.map(\.type) else { return Work(flops: 0, moving: operands) }
    let others = operands.enumerated().filter { $0.offset != 1 && $0.offset != 2 }.map(\.element)
    return Work(flops: types[0].elementCount * types[1].shape[2] * 4, moving: others + types)
  }
}
