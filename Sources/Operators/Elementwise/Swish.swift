import GraphIR
import Tensors

/// `x sigmoid(alpha x)`
struct Swish: Operator {
  let schema = OperatorSchema(
    "swish", "x sigmoid(alpha x); alpha is 1 when absent.", operands: ["x"], attributes: ["alpha": .float])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let x = node.operands[0]!
    let alpha = node.attributes.float("alpha", default: 1)
    let argument = alpha == 1 ? x : try builder("mul", builder.constant(Double(alpha), like: x), x)
    return [try builder("mul", x, try builder("sigmoid", argument))]
  }
}

/// `swish(a) b`, the gated activation of decoder feed-forward layers.
struct SwiGLU: Operator {
  let schema = OperatorSchema(
    "swiglu", "a sigmoid(alpha a) b for operands of equal shape; alpha is 1 when absent.",
    operands: ["a", "b"],
    attributes: ["alpha": .float])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (a, b) = (try call.type(0), try call.type(1))
    guard a.element == b.element, a.rank == b.rank else {
      throw OperatorError("found \(a) and \(b), accepted are equal types")
    }
    return [ValueFact(a)]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let gate = try builder.add("swish", [node.operands[0]], node.attributes)[0]
    return [try builder("mul", gate, node.operands[1])]
  }
}
