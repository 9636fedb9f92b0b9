import GraphIR
import Tensors

/// `com.microsoft` GroupQueryAttention: rotary positions, cache and causal attention in one node.
///
///     q, k, v  = split(qkv)                                 when k and v are absent
///     q', k'   = rotary_embedding(q and k, cos, sin, P ..< P + S)         with do_rotary
///     y, present_key, present_value = attention(q', k', v, bias, past_key, past_value) {is_causal, window}
///
/// `P` is the length of the past as given. Rows of the batch are unpadded: `seqlens_k` and
/// `total_sequence_length` say what the shapes say, and are not read.
///
/// A batch whose rows differ in length is therefore not computed as the format asks, and nothing reports it:
/// every row is taken to be of the length `P + S`. A row that `seqlens_k` makes shorter would need its new
/// keys written at its own end within the cache, and positions counted from there; a mask over `seqlens_k`
/// alone would hide those keys. Rows of such a batch must be run one by one.
///
/// A window of W lets a query see itself
/// and the W - 1 keys before it; `sliding_window_cache` changes what a caller may drop from the cache, not
/// the result.
struct GroupQueryAttention: Operator {
  let schema = OperatorSchema(
    "group_query_attention", "Causal attention of grouped heads over a cache, with rotary positions.",
    operands: [
      "query", "key?", "value?", "past_key?", "past_value?", "seqlens_k?", "total_sequence_length?", "cos?",
      "sin?",
      "position_ids?", "attention_bias?", "head_sink?", "k_scale?", "v_scale?",
    ],
    results: 1...4,
    attributes: [
      "num_heads!": .int, "kv_num_heads!": .int, "scale": .float, "softcap": .float,
      "local_window_size": .int,
      "do_rotary": .int, "rotary_interleaved": .int, "smooth_softmax": .int, "qk_output": .int,
      "sliding_window_cache": .int, "k_quant_type": .string, "v_quant_type": .string,
      "kv_cache_bit_width": .int,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (heads, groups) = (try call.requiredInt("num_heads"), try call.requiredInt("kv_num_heads"))
    let query = try call.type(0)
    guard query.rank == 3, heads > 0, groups > 0, heads % groups == 0 else {
      throw OperatorError(
        "the query is \(query) with \(heads) heads over \(groups), accepted is [B, S, heads * d]")
    }
    let isPacked = !call.has(1)
    let size = query.shape[2] / Dim(isPacked ? heads + 2 * groups : heads)
    var keys = query.shape[1]
    if call.has(3) { keys = try call.type(3).shape[2] + keys }
    let cache = [query.shape[0], Dim(groups), keys, size]
    return [
      ValueFact(query.element, [query.shape[0], query.shape[1], size * heads]),
      ValueFact(query.element, cache),
      ValueFact(query.element, cache),
      ValueFact(query.element, [query.shape[0], Dim(heads), query.shape[1], keys]),
    ]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    try refuseUnsupported(node)
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    let (heads, groups) = (node.attributes.int("num_heads")!, node.attributes.int("kv_num_heads")!)
    guard let parts = try projections(node, heads, groups, into: &builder) else { return nil }
    var (query, key) = (parts.0, parts.1)
    if node.attributes.bool("do_rotary", default: false) {
      guard let cos = operand(7), let sin = operand(8) else {
        throw OperatorError("'do_rotary' needs the tables 'cos' and 'sin'")
      }
      var ids = operand(9)
      if ids == nil { ids = try positions(operand(3), query, into: &builder) }
      let interleaved = node.attributes.int("rotary_interleaved", default: 0)
      let width = (builder.type(cos).shape.last?.constant ?? 0) * 2
      func rotated(_ x: ValueID, _ count: Int) throws(OperatorError) -> ValueID {
        try builder(
          "rotary_embedding", x, cos, sin, ids,
          attributes: [
            "interleaved": .int(interleaved), "num_heads": .int(count), "rotary_embedding_dim": .int(width),
          ])
      }
      query = try rotated(query, heads)
      key = try rotated(key, groups)
    }
    var attributes = Attributes([
      "q_num_heads": .int(heads), "kv_num_heads": .int(groups), "is_causal": .int(1),
      "softcap": .float(node.attributes.float("softcap", default: 0)),
    ])
    if let scale = node.attributes.float("scale"), scale != 0 { attributes["scale"] = .float(scale) }
    let window = node.attributes.int("local_window_size", default: -1)
    if window > 0 { attributes["left_window_size"] = .int(window - 1) }
    return try builder.add(
      "attention", [query, key, parts.2, operand(10), operand(3), operand(4)], attributes,
      names: node.results.enumerated().map { index, result in
        result.map { _ in ["y", "key", "value"][index] }
      })
  }

  private func refuseUnsupported(_ node: Node) throws(OperatorError) {
    let attributes = node.attributes
    if node.operands.count > 11, node.operands[11...].contains(where: { $0 != nil }) {
      throw OperatorError("operands 'head_sink', 'k_scale' and 'v_scale' are not supported")
    }
    if attributes.int("smooth_softmax", default: 0) > 0 {
      throw OperatorError("'smooth_softmax' is not supported")
    }
    if attributes.int("kv_cache_bit_width", default: 0) > 0 {
      throw OperatorError("a quantized cache ('kv_cache_bit_width') is not supported")
    }
    if node.results.count > 3 { throw OperatorError("the result of 'qk_output' is not supported") }
  }

  /// Query, key and value, divided if they come packed.
  private func projections(
    _ node: Node, _ heads: Int, _ groups: Int, into builder: inout GraphBuilder
  ) throws(OperatorError) -> (ValueID, ValueID, ValueID)? {
    guard let query = node.operands[0] else { return nil }
    if node.operands.count > 2, let key = node.operands[1], let value = node.operands[2] {
      return (query, key, value)
    }
    guard let width = builder.type(query).shape[2].constant else {
      throw OperatorError("the packed query is \(builder.type(query)): its last axis must be an integer")
    }
    let size = width / (heads + 2 * groups)
    let sizes = builder.constant([heads * size, groups * size, groups * size])
    let parts = try builder.add(
      "split", [query, sizes], Attributes(["axis": .int(-1)]), names: ["q", "k", "v"])
    return (parts[0]!, parts[1]!, parts[2]!)
  }

  /// `[1, S]`: the positions after the past.
  private func positions(
    _ past: ValueID?, _ query: ValueID, into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    var first = builder.constant(Tensor(i64: [0], []))
    if let past { first = try RotaryPositions.size(of: past, axis: 2, into: &builder) }
    return try RotaryPositions.range(from: first, rowsOf: query, axis: 1, into: &builder)
  }
}
