import GraphIR
import Tensors

/// `com.microsoft` MultiHeadAttention with separate, flat query, key and value: `attention` under other
/// names.
struct MultiHeadAttention: Operator {
  let schema = OperatorSchema(
    "multi_head_attention", "attention with as many key heads as query heads.",
    operands: [
      "query", "key?", "value?", "bias?", "key_padding_mask?", "attention_bias?", "past_key?", "past_value?",
      "past_sequence_length?", "cache_indirection?",
    ],
    results: 1...4,
    attributes: ["num_heads!": .int, "scale": .float, "mask_filter_value": .float, "unidirectional": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let heads = try call.requiredInt("num_heads")
    let (query, key, value) = (try call.type(0), try call.type(1), try call.type(2))
    guard query.rank == 3, key.rank == 3, value.rank == 3, heads > 0 else {
      throw OperatorError(
        "query, key and value are \(query), \(key), \(value): accepted are [B, S, heads * d]")
    }
    var keys = key.shape[1]
    if call.has(6) { keys = try call.type(6).shape[2] + keys }
    let (batch, count) = (query.shape[0], Dim(heads))
    return [
      ValueFact(query.element, [batch, query.shape[1], value.shape[2]]),
      ValueFact(query.element, [batch, count, keys, key.shape[2] / count]),
      ValueFact(query.element, [batch, count, keys, value.shape[2] / count]),
      ValueFact(query.element, [batch, count, query.shape[1], keys]),
    ]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    let refused = [
      (3, "bias"), (4, "key_padding_mask"), (8, "past_sequence_length"), (9, "cache_indirection"),
    ]
    for (index, name) in refused where operand(index) != nil {
      throw OperatorError("operand '\(name)' is not supported")
    }
    let heads = node.attributes.int("num_heads", default: 0)
    var attributes = Attributes([
      "q_num_heads": .int(heads), "kv_num_heads": .int(heads),
      "is_causal": .int(node.attributes.int("unidirectional", default: 0)),
    ])
    if let scale = node.attributes.float("scale"), scale != 0 { attributes["scale"] = .float(scale) }
    return try builder.add(
      "attention", [operand(0), operand(1), operand(2), operand(5), operand(6), operand(7)], attributes,
      names: node.results.enumerated().map { index, result in
        result.map { _ in ["y", "key", "value", "scores"][index] }
      })
  }
}

/// Operators of the attention family.
enum AttentionOperators {
  static let all: [any Operator] = [
    Attention(), SelfAttention(), RotaryEmbedding(), GroupQueryAttention(), MultiHeadAttention(),
    MicrosoftRotaryEmbedding(),
  ]
}
