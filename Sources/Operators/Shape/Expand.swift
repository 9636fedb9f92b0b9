import GraphIR
import Tensors

/// Repeats axes of extent 1 so that the operand has the shape in operand 1, broadcast both ways.
struct Expand: Operator {
  let schema = OperatorSchema(
    "expand", "Repeats axes of extent 1 so that x has the shape in operand 1, broadcast both ways.",
    operands: ["x", "shape"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let shape = try ShapeRules.broadcast(x.shape, try call.shapeOperand(1))
    let result = TensorType(x.element, shape)
    guard let known = KnownContent(call.operands[0]), let extents = result.constantShape else {
      return [ValueFact(result)]
    }
    let lead = extents.count - known.shape.count
    let content = known.moved(to: extents) { index in
      known.shape.enumerated().map { $1 == 1 ? 0 : index[lead + $0] }
    }
    return [ValueFact(result, content: content)]
  }
}

/// The operand repeated along each axis as often as operand 1 says.
struct Tile: Operator {
  let schema = OperatorSchema(
    "tile", "x repeated along each axis as often as operand 1 says.", operands: ["x", "repeats"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let repeats = try call.shapeOperand(1)
    guard repeats.count == x.rank else {
      throw OperatorError("'repeats' has \(repeats.count) entries, \(x) needs \(x.rank)")
    }
    let result = TensorType(x.element, zip(x.shape, repeats).map { $0 * $1 })
    guard let known = KnownContent(call.operands[0]), let extents = result.constantShape else {
      return [ValueFact(result)]
    }
    let content = known.moved(to: extents) { zip($0, known.shape).map { $0 % $1 } }
    return [ValueFact(result, content: content)]
  }
}
