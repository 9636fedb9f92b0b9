import GraphIR
import Tensors

/// Operands one after the other along an axis.
struct Concat: Operator {
  let schema = OperatorSchema(
    "concat", "Operands one after the other along 'axis'.", operands: ["x..."], attributes: ["axis!": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let first = try call.type(0)
    let axis = try ShapeRules.axis(try call.requiredInt("axis"), rank: first.rank)
    var shape = first.shape
    for index in call.operands.indices.dropFirst() {
      let next = try call.type(index)
      guard next.rank == first.rank, next.element == first.element else {
        throw OperatorError(
          "operand \(index) is \(next), operand 0 is \(first): they may differ along axis \(axis) only")
      }
      for other in shape.indices where other != axis {
        if let a = shape[other].constant, let b = next.shape[other].constant, a != b {
          throw OperatorError(
            "operand \(index) is \(next), operand 0 is \(first): they may differ along axis \(axis) only")
        }
        if shape[other].constant == nil, next.shape[other].constant != nil {
          shape[other] = next.shape[other]
        }
      }
      shape[axis] = shape[axis] + next.shape[axis]
    }
    return [ValueFact(TensorType(first.element, shape), content: content(call, rank: first.rank))]
  }

  private func content(_ call: InferenceCall, rank: Int) -> [Dim]? {
    guard rank == 1 else { return nil }
    var joined: [Dim] = []
    for index in call.operands.indices {
      guard let part = call.content(index) else { return nil }
      joined += part
    }
    return joined.count <= ValueFact.maximumContentCount ? joined : nil
  }
}

/// Parts of an axis: sizes in operand 1, or equal parts with a smaller last one.
struct Split: Operator {
  let schema = OperatorSchema(
    "split", "Parts of 'axis': sizes in operand 1, or equal parts with a smaller last one.",
    operands: ["x", "sizes?"], results: 1...Int(Int32.max), attributes: ["axis": .int, "num_outputs": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let axis = try ShapeRules.axis(call.attributes.int("axis", default: 0), rank: x.rank)
    let sizes = try sizes(call, of: x.shape[axis])
    guard sizes.count == call.resultCount else {
      throw OperatorError(
        "the axis is split into \(sizes.count) parts, the node has \(call.resultCount) results")
    }
    var start = 0
    var facts: [ValueFact] = []
    for size in sizes {
      var shape = x.shape
      shape[axis] = size
      var fact = ValueFact(x.element, shape)
      if x.rank == 1, let content = call.content(0), let count = size.constant, start + count <= content.count
      {
        fact.content = Array(content[start..<(start + count)])
        start += count
      }
      facts.append(fact)
    }
    return facts
  }

  private func sizes(_ call: InferenceCall, of extent: Dim) throws(OperatorError) -> [Dim] {
    if call.has(1) {
      let sizes = try call.shapeOperand(1)
      if let total = sizes.reduce(Dim(0), +).constant, let extent = extent.constant, total != extent {
        throw OperatorError("sizes \(ShapeRules.list(sizes)) add up to \(total), the axis has \(extent)")
      }
      return sizes
    }
    let count = call.attributes.int("num_outputs", default: call.resultCount)
    guard count > 0 else { throw OperatorError("'num_outputs' is \(count), accepted is 1 or more") }
    if let extent = extent.constant {
      let size = (extent + count - 1) / count
      return (0..<count).map { Dim(min(size, max(0, extent - $0 * size))) }
    }
    let size = (extent + (count - 1)) / Dim(count)
    let isExact = extent == size * count || extent / Dim(count) * count == extent
    if isExact { return Array(repeating: extent / Dim(count), count: count) }
    return Array(repeating: size, count: count - 1) + [extent - size * (count - 1)]
  }
}
