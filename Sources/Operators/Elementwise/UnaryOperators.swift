import GraphIR

/// An operator that maps each element to one of the same type.
struct UnaryElementwise: Operator {
  let schema: OperatorSchema

  init(_ name: String, _ summary: String) { schema = OperatorSchema(name, summary, operands: ["x"]) }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }
}

enum UnaryOperators {
  static let all: [any Operator] = [
    UnaryElementwise("exp", "e to the power of each element."),
    UnaryElementwise("sqrt", "The square root of each element; NaN below zero."),
    UnaryElementwise("tanh", "The hyperbolic tangent of each element."),
  ]
}
