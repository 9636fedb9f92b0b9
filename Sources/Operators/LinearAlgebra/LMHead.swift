import GraphIR
import Tensors

/// The projection of hidden states to the logits of a vocabulary.
///
///     y[b, s, v] = softcap(sum over k of x[b, s, k] * weight[v, k] + bias[v])     softcap(z) = c tanh(z / c)
///
/// With `last_only` only for the last row of each batch entry: `[B, 1, V]`.
struct LMHead: Operator {
  let schema = OperatorSchema(
    "lm_head", "x times the transpose of weight [V, K], plus bias, capped; of the last row alone if asked.",
    operands: ["x", "weight", "bias?"],
    attributes: ["softcap": .float, "last_only": .int, "weight_format": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard x.rank == 3 else { throw OperatorError("x is \(x), accepted is [B, S, K]") }
    let rows = call.attributes.bool("last_only", default: false) ? Dim(1) : x.shape[1]
    if x.shape[1].constant == 0, rows == 1 { throw OperatorError("x is \(x): there is no last row") }
    let outputs = try MatrixRules.outputs(call, weight: 1, format: "weight_format", bias: 2)
    return [ValueFact(x.element, [x.shape[0], rows, outputs])]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    MatrixRules.work(operands, results, depth: operands[0]?.shape.last ?? 1)
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    var x = node.operands[0]
    if node.attributes.bool("last_only", default: false) {
      x = try builder(
        "slice", x, builder.constant([-1]), builder.constant([Int.max]), builder.constant([1]))
    }
    let weight = try WeightRules.unpacked(
      node.operands[1], node.attributes, "weight_format",
      columns: builder.type(node.operands[0]!).shape.last ?? 1,
      like: x, into: &builder)
    let logits = try builder.add("linear", [x, weight] + node.operands.dropFirst(2))[0]!
    let softcap = node.attributes.float("softcap", default: 0)
    guard softcap != 0 else { return [logits] }
    let cap = builder.constant(Double(softcap), like: logits)
    return [try builder("mul", cap, try builder("tanh", try builder("div", logits, cap)))]
  }
}
