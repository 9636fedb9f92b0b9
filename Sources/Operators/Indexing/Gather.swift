import GraphIR
import Tensors

/// Slices of an axis picked by indices of any shape: `y[a.., i.., b..] = x[a.., indices[i..], b..]`.
struct Gather: Operator {
  let schema = OperatorSchema(
    "gather", "Slices of 'axis' picked by indices: y[a.., i.., b..] = x[a.., indices[i..], b..].",
    operands: ["x", "indices"], attributes: ["axis": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, indices) = (try call.type(0), try call.type(1))
    guard x.rank > 0 else { throw OperatorError("the operand is a scalar, accepted is rank 1 or more") }
    let axis = try ShapeRules.axis(call.attributes.int("axis", default: 0), rank: x.rank)
    let shape = Array(x.shape[..<axis]) + indices.shape + Array(x.shape[(axis + 1)...])
    let result = TensorType(x.element, shape)
    return [ValueFact(result, content: try content(call, result, axis, indices.rank))]
  }

  private func content(_ call: InferenceCall, _ result: TensorType, _ axis: Int, _ rank: Int)
    throws(OperatorError) -> [Dim]?
  {
    guard let known = KnownContent(call.operands[0]), let indices = call.integers(1),
      let indexShape = try call.type(1).constantShape, let extents = result.constantShape
    else { return nil }
    let extent = known.shape[axis]
    guard indices.allSatisfy({ (-extent..<extent).contains($0) }) else {
      throw OperatorError("indices \(indices) are out of range, accepted are \(-extent)..<\(extent)")
    }
    return known.moved(to: extents) { index in
      var place = 0
      for (dim, position) in zip(indexShape, index[axis..<(axis + rank)]) { place = place * dim + position }
      let picked = indices[place] < 0 ? indices[place] + extent : indices[place]
      return Array(index[..<axis]) + [picked] + Array(index[(axis + rank)...])
    }
  }
}

/// `y[i, j, k] = x[i, indices[i, j, k], k]` for axis 1.
struct GatherElements: Operator {
  let schema = OperatorSchema(
    "gather_elements", "Elements picked along 'axis': y[i, j, k] = x[i, indices[i, j, k], k] for axis 1.",
    operands: ["x", "indices"], attributes: ["axis": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, indices) = (try call.type(0), try call.type(1))
    guard x.rank == indices.rank else {
      throw OperatorError("x is \(x) and indices \(indices), accepted are equal ranks")
    }
    _ = try ShapeRules.axis(call.attributes.int("axis", default: 0), rank: x.rank)
    return [ValueFact(x.element, indices.shape)]
  }
}

/// Slices picked by index tuples: `y[b.., i.., s..] = x[b.., indices[b.., i..]..., s..]`.
struct GatherND: Operator {
  let schema = OperatorSchema(
    "gather_nd",
    "Slices picked by the index tuples in the last axis of 'indices', after 'batch_dims' common axes.",
    operands: ["x", "indices"], attributes: ["batch_dims": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, indices) = (try call.type(0), try call.type(1))
    let batch = call.attributes.int("batch_dims", default: 0)
    guard let depth = indices.shape.last?.constant else {
      throw OperatorError("indices are \(indices), the last axis must be an integer")
    }
    guard batch >= 0, batch < indices.rank, batch + depth <= x.rank else {
      throw OperatorError("\(batch) batch axes and tuples of \(depth) do not fit \(x)")
    }
    let shape = Array(indices.shape.dropLast()) + Array(x.shape[(batch + depth)...])
    let result = TensorType(x.element, shape)
    return [ValueFact(result, content: content(call, result, depth, batch))]
  }

  /// Known when indices are: tuples of a single batch.
  private func content(_ call: InferenceCall, _ result: TensorType, _ depth: Int, _ batch: Int) -> [Dim]? {
    guard batch == 0, let known = KnownContent(call.operands[0]), let indices = call.integers(1),
      let extents = result.constantShape, let shape = call.operands[1]?.type.constantShape
    else { return nil }
    let lead = shape.count - 1
    for (place, index) in indices.enumerated() {
      let extent = known.shape[place % depth]
      if !(-extent..<extent).contains(index) { return nil }
    }
    return known.moved(to: extents) { index in
      var tuple = 0
      for (dim, position) in zip(shape, index[..<lead]) { tuple = tuple * dim + position }
      let picked = (0..<depth).map { entry in
        let value = indices[tuple * depth + entry]
        return value < 0 ? value + known.shape[entry] : value
      }
      return picked + Array(index[lead...])
    }
  }
}
