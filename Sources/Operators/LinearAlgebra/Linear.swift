import GraphIR
import Tensors

/// A product with constant weights: `y[..., n] = sum over k of x[..., k] * weight[n, k] + bias[n]`.
struct Linear: Operator {
  let schema = OperatorSchema(
    "linear", "x times the transpose of weight [N, K] (of weight [K, N] when 'transposed'), plus bias [N].",
    operands: ["x", "weight", "bias?"], attributes: ["transposed": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let weight = try call.type(1)
    guard x.rank >= 1, weight.rank == 2 else {
      throw OperatorError("x is \(x) and weight is \(weight), accepted are rank 1 or more and rank 2")
    }
    let isTransposed = call.attributes.bool("transposed", default: false)
    let (inner, columns) =
      isTransposed ? (weight.shape[0], weight.shape[1]) : (weight.shape[1], weight.shape[0])
    if let a = x.shape[x.rank - 1].constant, let b = inner.constant, a != b {
      throw OperatorError("x \(x) has \(a) columns, weight \(weight) takes \(b)")
    }
    if call.has(2) {
      let bias = try call.type(2)
      guard bias.rank == 1 else { throw OperatorError("bias is \(bias), accepted is rank 1") }
      if let a = bias.shape[0].constant, let b = columns.constant, a != b {
        throw OperatorError("bias \(bias) has \(a) elements, weight \(weight) gives \(b)")
      }
    }
    return [ValueFact(x.element, x.shape.dropLast() + [columns])]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let moved = (operands + results).compactMap { $0 }.map { $0.elementCount * $0.element.byteCount }
    let inner = operands[0]?.shape.last ?? Dim(0)
    let written = results.compactMap { $0?.elementCount }.first ?? Dim(0)
    return Work(flops: written * inner * 2, bytes: moved.reduce(Dim(0), +))
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    var weight = node.operands[1]
    if !node.attributes.bool("transposed", default: false) {
      weight = try builder("transpose", weight, attributes: ["perm": .ints([1, 0])])
    }
    let product = try builder("matmul", node.operands[0], weight)
    guard node.operands.count > 2, let bias = node.operands[2] else { return [product] }
    return [try builder("add", product, bias)]
  }
}
