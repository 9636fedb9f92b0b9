import GraphIR
import Tensors

/// Scaled dot-product attention of grouped heads, with masks, windows and an optional cache.
///
///     s = softcap(scale * q . k) + mask          y = softmax(s over allowed keys) . v
///
/// Operands are `[B, heads, S, d]`, or `[B, S, heads * d]` with the head counts as attributes. `past_key` and
/// `past_value` are joined in front of k and v, and the joined ones are results 1 and 2. Result 3 holds
/// scores: raw (mode 0), after softcap (1), after the mask (2), or probabilities (3).
///
/// `queries_at_end` is an addition to ONNX's attributes: query `i` stands at key position `T - S + i`, as it
/// does after ``decompose(_:into:)`` has moved the joining out of the node.
struct Attention: Operator {
  let schema = OperatorSchema(
    "attention", "softmax(softcap(scale * q k^T) + mask) v per head, over past and new keys.",
    operands: ["q", "k", "v", "mask?", "past_key?", "past_value?", "nonpad_kv_seqlen?"], results: 1...4,
    attributes: [
      "q_num_heads": .int, "kv_num_heads": .int, "scale": .float, "softcap": .float, "is_causal": .int,
      "left_window_size": .int, "right_window_size": .int, "queries_at_end": .int,
      "qk_matmul_output_mode": .int, "softmax_precision": .element,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let shapes = try AttentionShapes(call)
    let element = try call.type(0).element
    for operand in 1...2 { try call.requireEqualElements(0, operand) }
    guard call.has(4) == call.has(5) else {
      throw OperatorError("'past_key' and 'past_value' must be given together")
    }
    if call.has(4), call.has(6) {
      throw OperatorError("'nonpad_kv_seqlen' excludes 'past_key' and 'past_value'")
    }
    return [
      ValueFact(element, shapes.result),
      ValueFact(element, [shapes.batch, shapes.keyHeads, shapes.keys, shapes.headSize]),
      ValueFact(element, [shapes.batch, shapes.keyHeads, shapes.keys, shapes.valueSize]),
      ValueFact(element, [shapes.batch, shapes.queryHeads, shapes.rows, shapes.keys]),
    ]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let facts = operands.map { $0.map { ValueFact($0) } }
    let call = InferenceCall(facts, attributes, resultCount: results.count, symbols: SymbolSource())
    guard let s = try? AttentionShapes(call) else { return Work(flops: 0, moving: operands + results) }
    let products = s.batch * s.queryHeads * s.rows * s.keys
    return Work(flops: products * 2 * (s.headSize + s.valueSize), moving: operands + results)
  }

  /// Rewrites a node with a past as the joining of past and new entries, and attention over them.
  ///
  ///     y, pk, pv = attention(q, k, v, mask, past_key, past_value)
  ///                 │
  ///     pk = concat(past_key, heads(k)) {axis = 2}     pv = concat(past_value, heads(v)) {axis = 2}
  ///     y  = attention(q, pk, pv, mask) {queries_at_end = 1}
  ///
  /// - Returns: the results in the node's order, or nil when the node has no past.
  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    guard node.operands.count > 5, let pastKey = node.operands[4], let pastValue = node.operands[5],
      let q = node.operands[0], let k = node.operands[1], let v = node.operands[2]
    else { return nil }
    let key = try Self.joined(pastKey, k, node, into: &builder)
    let value = try Self.joined(pastValue, v, node, into: &builder)
    var attributes = node.attributes
    attributes["queries_at_end"] = .int(1)
    var query = q
    if builder.type(q).rank == 3 {
      query = try Self.heads(q, node.attributes.int("q_num_heads"), into: &builder)
      attributes["q_num_heads"] = nil
      attributes["kv_num_heads"] = nil
    }
    let names: [String?] = [
      "attention", nil, nil, node.results.count > 3 && node.results[3] != nil ? "scores" : nil,
    ]
    let results = try builder.add(
      "attention", [query, key, value, node.operands[3]], attributes, names: names)
    var y = results[0]!
    if builder.type(q).rank == 3 {
      y = try builder("transpose", y, attributes: ["perm": .ints([0, 2, 1, 3])])
      y = try builder("reshape", y, builder.constant([0, 0, -1]))
    }
    return Array([y, key, value, results[3]].prefix(node.results.count))
  }

  private static func joined(
    _ past: ValueID, _ new: ValueID, _ node: Node, into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    let entries =
      builder.type(new).rank == 3
      ? try heads(new, node.attributes.int("kv_num_heads"), into: &builder) : new
    return try builder("concat", past, entries, attributes: ["axis": .int(2)])
  }

  /// `[B, S, heads * d]` as `[B, heads, S, d]`.
  static func heads(_ x: ValueID, _ count: Int?, into builder: inout GraphBuilder) throws(OperatorError)
    -> ValueID
  {
    guard let count, count > 0 else {
      throw OperatorError("the number of heads must be given for flat operands")
    }
    let split = try builder("reshape", x, builder.constant([0, 0, count, -1]))
    return try builder("transpose", split, attributes: ["perm": .ints([0, 2, 1, 3])])
  }
}

/// The dims of an attention node.
struct AttentionShapes {
  let batch: Dim, queryHeads: Dim, keyHeads: Dim, rows: Dim, keys: Dim, headSize: Dim, valueSize: Dim
  /// The shape of result 0.
  let result: [Dim]

  init(_ call: InferenceCall) throws(OperatorError) {
    let q = try Self.heads(call, 0, "q_num_heads")
    let k = try Self.heads(call, 1, "kv_num_heads")
    let v = try Self.heads(call, 2, "kv_num_heads")
    if let a = q[3].constant, let b = k[3].constant, a != b {
      throw OperatorError("q has heads of \(a), k of \(b): they must be equal")
    }
    if let a = q[1].constant, let b = k[1].constant, b == 0 || a % b != 0 {
      throw OperatorError("\(a) query heads cannot share \(b) key heads")
    }
    (batch, queryHeads, rows, headSize) = (q[0], q[1], q[2], q[3])
    (keyHeads, valueSize) = (k[1], v[3])
    var count = k[2]
    if call.has(4) {
      let past = try call.type(4)
      guard past.rank == 4 else { throw OperatorError("'past_key' is \(past), accepted is [B, heads, P, d]") }
      count = past.shape[2] + count
    }
    keys = count
    result =
      try call.type(0).rank == 3
      ? [batch, rows, queryHeads * valueSize] : [batch, queryHeads, rows, valueSize]
  }

  /// An operand's dims as `[B, heads, S, d]`.
  private static func heads(_ call: InferenceCall, _ operand: Int, _ attribute: String) throws(OperatorError)
    -> [Dim]
  {
    let x = try call.type(operand)
    if x.rank == 4 { return x.shape }
    guard x.rank == 3, let count = call.attributes.int(attribute), count > 0 else {
      throw OperatorError("operand \(operand) is \(x), accepted are rank 4, and rank 3 with '\(attribute)'")
    }
    return [x.shape[0], Dim(count), x.shape[1], x.shape[2] / Dim(count)]
  }
}
