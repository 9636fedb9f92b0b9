import GraphIR
import Tensors

/// A branch added to the residual stream, and the sum normalized for the next branch; all over the last axis.
///
///     sum = residual + branch, with branch_scale residual + rms_normalization(branch, branch_scale)
///     y   = rms_normalization(sum, scale) + bias, or layer_normalization(sum, scale, bias) when 'centered'
struct ResidualNormalization: Operator {
  let schema = OperatorSchema(
    "residual_normalization", "residual + branch, the branch normalized if asked; and the normalized sum.",
    operands: ["residual", "branch", "scale", "bias?", "branch_scale?"], results: 1...2,
    attributes: ["epsilon": .float, "branch_epsilon": .float, "centered": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let residual = try call.type(0)
    guard let width = residual.shape.last else {
      throw OperatorError("the residual is a scalar, accepted is rank 1 or more")
    }
    try call.require(1, shape: residual.shape)
    for operand in 1..<5 where call.has(operand) { try call.requireEqualElements(0, operand) }
    for operand in 2..<5 { try call.require(operand, shape: [width]) }
    return [ValueFact(residual), ValueFact(residual)]
  }

  /// Per element two for the sum and the scale, and three for each norm: square, sum, factor.
  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let norms = operands.count > 4 && operands[4] != nil ? 2 : 1
    return Work(
      flops: (operands[0]?.elementCount ?? 0) * (2 + 3 * norms), moving: operands + results)
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    func epsilon(_ name: String) -> [String: AttributeValue] {
      ["epsilon": .float(node.attributes.float(name, default: 1e-5))]
    }
    var branch = operand(1)
    if let scale = operand(4) {
      branch = try builder("rms_normalization", branch, scale, attributes: epsilon("branch_epsilon"))
    }
    let sum = try builder("add", operand(0), branch)
    guard node.results.count > 1, node.results[1] != nil else { return [sum] }
    if node.attributes.bool("centered", default: false) {
      return [
        sum,
        try builder("layer_normalization", sum, operand(2), operand(3), attributes: epsilon("epsilon")),
      ]
    }
    var y = try builder("rms_normalization", sum, operand(2), attributes: epsilon("epsilon"))
    if let bias = operand(3) { y = try builder("add", y, bias) }
    return [sum, y]
  }
}
