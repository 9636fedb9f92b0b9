import GraphIR
import Tensors

/// A product with constant weights: `y[..., n] = sum over k of x[..., k] * weight[n, k] + bias[n]`.
///
/// `weight_format` tells that the weight is a result of `pack_blocks`.
struct Linear: Operator {
  let schema = OperatorSchema(
    "linear", "x times the transpose of weight [N, K], plus bias [N].", operands: ["x", "weight", "bias?"],
    attributes: ["weight_format": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let outputs = try MatrixRules.outputs(call, weight: 1, format: "weight_format", bias: 2)
    return [ValueFact(x.element, x.shape.dropLast() + [outputs])]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    MatrixRules.work(operands, results, depth: operands[0]?.shape.last ?? 1)
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let numbers = try WeightRules.unpacked(
      node.operands[1], node.attributes, "weight_format",
      columns: builder.type(node.operands[0]!).shape.last ?? 1,
      like: node.operands[0], into: &builder)
    let weight = try builder("transpose", numbers, attributes: ["perm": .ints([1, 0])])
    let product = try builder("matmul", node.operands[0], weight)
    guard node.operands.count > 2, let bias = node.operands[2] else { return [product] }
    return [try builder("add", product, bias)]
  }
}
