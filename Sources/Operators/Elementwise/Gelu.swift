import GraphIR
import Tensors

///     y = x/2 (1 + erf(x / sqrt(2)))
///     y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))     when 'approximate' is "tanh"
struct Gelu: Operator {
  let schema = OperatorSchema(
    "gelu",
    "x/2 (1 + erf(x / sqrt(2))); 'approximate' \"tanh\": x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).",
    operands: ["x"], attributes: ["approximate": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let x = node.operands[0]!
    func scalar(_ value: Double) -> ValueID { builder.constant(value, like: x) }
    let isTanh = node.attributes.string("approximate", default: "none") == "tanh"
    let inner: ValueID
    if isTanh {
      let cubic = try builder("mul", scalar(0.044715), try builder("pow", x, scalar(3)))
      let argument = try builder("mul", scalar((2 / Double.pi).squareRoot()), try builder("add", x, cubic))
      inner = try builder("tanh", argument)
    } else {
      inner = try builder("erf", try builder("mul", x, scalar(0.5.squareRoot())))
    }
    let half = try builder("mul", scalar(0.5), x)
    return [try builder("mul", half, try builder("add", scalar(1), inner))]
  }
}
