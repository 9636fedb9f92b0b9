import GraphIR
import Tensors

/// A matrix whose rows are the axes before `axis` and whose columns are the others.
struct Flatten: Operator {
  let schema = OperatorSchema(
    "flatten", "A matrix: axes before 'axis' become rows, the others columns.", operands: ["x"],
    attributes: ["axis": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let axis = call.attributes.int("axis", default: 1)
    let split = axis < 0 ? axis + x.rank : axis
    guard (0...x.rank).contains(split) else {
      throw OperatorError("axis \(axis) is out of range, accepted are \(-x.rank)...\(x.rank)")
    }
    let shape = [x.shape[..<split].reduce(Dim(1), *), x.shape[split...].reduce(Dim(1), *)]
    return [ValueFact(TensorType(x.element, shape), content: call.content(0))]
  }
}

/// Drops axes of extent 1: those in operand 1, or every axis whose dim is the integer 1.
struct Squeeze: Operator {
  let schema = OperatorSchema(
    "squeeze", "Drops axes of extent 1: those in operand 1, or all.", operands: ["x", "axes?"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let axes = try call.axes(1, rank: x.rank) ?? x.shape.indices.filter { x.shape[$0].constant == 1 }
    for axis in axes {
      if let extent = x.shape[axis].constant, extent != 1 {
        throw OperatorError("axis \(axis) of \(x) has extent \(extent), only 1 can be squeezed")
      }
    }
    let shape = x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] }
    return [ValueFact(TensorType(x.element, shape), content: call.content(0))]
  }
}

/// Inserts axes of extent 1 at the places of the result named by operand 1.
struct Unsqueeze: Operator {
  let schema = OperatorSchema(
    "unsqueeze", "Inserts axes of extent 1 at the places of the result named by operand 1.",
    operands: ["x", "axes"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    // A scalar is one axis: functions of the ONNX standard write it so.
    let rank = x.rank + (try call.type(1).rank == 0 ? 1 : call.vectorCount(1))
    let axes = try call.axes(1, rank: rank) ?? []
    var rest = x.shape[...]
    let shape = (0..<rank).map { axes.contains($0) ? Dim(1) : rest.removeFirst() }
    return [ValueFact(TensorType(x.element, shape), content: call.content(0))]
  }
}
