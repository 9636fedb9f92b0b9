import GraphIR
import Tensors

/// `condition[i] ? a[i] : b[i]` with broadcasting.
struct Where: Operator {
  let schema = OperatorSchema(
    "where", "a where the condition holds, b elsewhere.", operands: ["condition", "a", "b"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let condition = try call.type(0)
    guard condition.element == .bool else {
      throw OperatorError("the condition has element type \(condition.element), accepted is bool")
    }
    let type = try ShapeRules.broadcastType(call, from: 1)
    let result = TensorType(type.element, try ShapeRules.broadcast(condition.shape, type.shape))
    guard Content.isTracked(type.element) else { return [ValueFact(result)] }
    let content = Content.map(call, result.shape) { values in
      if values[1] == values[2] { return values[1] }
      return values[0].constant.map { $0 != 0 ? values[1] : values[2] }
    }
    return [ValueFact(result, content: content)]
  }
}
