import GraphIR
import Tensors

/// The remainder of `a / b`: with the sign of `b`, or with that of `a` when `fmod` is 1.
struct Mod: Operator {
  let schema = OperatorSchema(
    "mod", "The remainder of a / b with the sign of b; with that of a when 'fmod' is 1.",
    operands: ["a", "b"],
    attributes: ["fmod": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let type = try ShapeRules.broadcastType(call)
    guard Content.isTracked(type.element) else { return [ValueFact(type)] }
    let isTruncated = call.attributes.bool("fmod", default: false)
    let content = Content.map(call, type.shape) { values in
      let (a, b) = (values[0], values[1])
      return isTruncated && !(a.isNonNegative && b.isNonNegative) ? nil : Content.modulus(a, b)
    }
    return [ValueFact(type, content: content)]
  }
}

/// `a` to the power of `b`; the result has the element type of `a`, `b` may have another one.
struct Pow: Operator {
  let schema = OperatorSchema(
    "pow", "a to the power of b; the result has the element type of a.", operands: ["a", "b"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (a, b) = (try call.type(0), try call.type(1))
    return [ValueFact(a.element, try ShapeRules.broadcast(a.shape, b.shape))]
  }
}
