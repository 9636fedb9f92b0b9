import GraphIR
import Tensors

/// An operator that finds a position along an axis; of equal elements the first, or the last on request.
struct ArgReduce: Operator {
  let schema: OperatorSchema

  init(_ name: String, _ summary: String) {
    schema = OperatorSchema(
      name, summary, operands: ["x"], attributes: ["axis": .int, "keepdims": .int, "select_last_index": .int])
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let axis = try ShapeRules.axis(call.attributes.int("axis", default: 0), rank: x.rank)
    var shape = x.shape
    if axis < shape.count {
      if call.attributes.bool("keepdims", default: true) { shape[axis] = 1 } else { shape.remove(at: axis) }
    }
    return [ValueFact(.i64, shape)]
  }
}

/// A running fold along the axis that the second operand names.
struct Cumulative: Operator {
  let schema: OperatorSchema
  private let combine: @Sendable (Dim, Dim) -> Dim

  init(_ name: String, _ summary: String, _ combine: @escaping @Sendable (Dim, Dim) -> Dim) {
    schema = OperatorSchema(
      name, "\(summary) 'exclusive' leaves out the element itself, 'reverse' starts at the end.",
      operands: ["x", "axis"], attributes: ["exclusive": .int, "reverse": .int])
    self.combine = combine
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    _ = try call.type(1)
    return [ValueFact(x, content: content(call, x))]
  }

  /// Known for inclusive forward folds of vectors.
  private func content(_ call: InferenceCall, _ x: TensorType) -> [Dim]? {
    guard x.rank == 1, Content.isTracked(x.element), let elements = call.content(0),
      !call.attributes.bool("exclusive", default: false), !call.attributes.bool("reverse", default: false)
    else { return nil }
    var result: [Dim] = []
    for element in elements { result.append(result.last.map { combine($0, element) } ?? element) }
    return result
  }
}

/// An operator that maps vectors along one axis to vectors of the same length; the last axis by default.
struct AxisMap: Operator {
  let schema: OperatorSchema

  init(
    _ name: String, _ summary: String,
    attributes: KeyValuePairs<String, OperatorSchema.Attribute.Kind> = ["axis": .int]
  ) {
    schema = OperatorSchema(name, summary, operands: ["x"], attributes: attributes)
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    _ = try ShapeRules.axis(call.attributes.int("axis", default: -1), rank: max(x.rank, 1))
    return [ValueFact(x)]
  }
}
