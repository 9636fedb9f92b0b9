import GraphIR
import Tensors

extension ShapeRules {
  /// The common element type and shape of all operands from `first` on.
  static func broadcastType(_ call: InferenceCall, from first: Int = 0) throws(OperatorError) -> TensorType {
    var result = try call.type(first)
    for index in first..<call.operands.count {
      let type = try call.type(index)
      guard type.element == result.element else {
        throw OperatorError(
          "operand \(index) has element type \(type.element), operand \(first) has \(result.element)")
      }
      result.shape = try broadcast(result.shape, type.shape)
    }
    return result
  }

  /// Refuses element types that an operator does not take.
  static func require(_ type: TensorType, _ accepted: String, _ test: (ElementType) -> Bool)
    throws(OperatorError)
  {
    guard test(type.element) else {
      throw OperatorError("found element type \(type.element), accepted are \(accepted)")
    }
  }
}
