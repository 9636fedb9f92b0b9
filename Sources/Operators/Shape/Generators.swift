import GraphIR
import Tensors

/// The number of elements as an i64 scalar.
struct Size: Operator {
  let schema = OperatorSchema("size", "The number of elements.", operands: ["x"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    [ValueFact(TensorType(.i64, []), content: [try call.type(0).elementCount])]
  }
}

/// The shape in operand 0 filled with one value; f32 zero when absent.
struct ConstantOfShape: Operator {
  let schema = OperatorSchema(
    "constant_of_shape", "A tensor of the shape in operand 0, filled with 'value' (default: f32 zero).",
    operands: ["shape"], attributes: ["value": .tensor])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let value = call.attributes.tensor("value")
    if let value, value.elementCount != 1 {
      throw OperatorError("'value' is \(value.type), accepted is one element")
    }
    let result = TensorType(value?.element ?? .f32, try call.shapeOperand(0))
    guard let value, let known = Graph.trackedContent(of: value), let count = result.elementCount.constant,
      count <= ValueFact.maximumContentCount
    else { return [ValueFact(result)] }
    return [ValueFact(result, content: Array(repeating: known[0], count: count))]
  }
}

/// `start + i * delta` for `i` in `0..<max(0, ceil((limit - start) / delta))`.
struct NumberRange: Operator {
  let schema = OperatorSchema(
    "range", "start, start + delta, ... below limit (above it, for a negative delta).",
    operands: ["start", "limit", "delta"], attributes: ["stash_type": .element])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let element = try call.type(0).element
    try call.requireEqualElements(0, 1)
    try call.requireEqualElements(0, 2)
    guard let start = call.content(0)?.first, let limit = call.content(1)?.first,
      let step = call.content(2)?.first?.constant, step != 0
    else { return [ValueFact(element, [call.unknownDim()])] }
    let span = step > 0 ? limit - start : start - limit
    let magnitude = Int(clamping: step.magnitude)
    var count = magnitude == 1 ? span : (span + (magnitude - 1)) / Dim(magnitude)
    if !span.isAtLeast(0, symbolsAtLeast: 1) { count = Dim.maximum(count, 0) }
    let result = TensorType(element, [count])
    guard let extent = count.constant, extent <= ValueFact.maximumContentCount else {
      return [ValueFact(result)]
    }
    return [ValueFact(result, content: (0..<extent).map { start + Dim($0 * step) })]
  }
}

/// Ones on a diagonal of a matrix with the operand's shape.
struct EyeLike: Operator {
  let schema = OperatorSchema(
    "eye_like", "Ones on diagonal 'k' of a matrix with x's shape, zeros elsewhere.", operands: ["x"],
    attributes: ["dtype": .element, "k": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard x.rank == 2 else { throw OperatorError("the operand is \(x), accepted is a matrix") }
    return [ValueFact(call.attributes.element("dtype") ?? x.element, x.shape)]
  }
}
