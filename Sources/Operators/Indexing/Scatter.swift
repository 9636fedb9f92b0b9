import GraphIR
import Tensors

/// A copy of the data where `y[i, indices[i, j, k], k]` takes `updates[i, j, k]`, for axis 1.
struct ScatterElements: Operator {
  let schema = OperatorSchema(
    "scatter_elements",
    "A copy of x with elements along 'axis' replaced (or reduced: add, mul, min, max) by updates.",
    operands: ["x", "indices", "updates"], attributes: ["axis": .int, "reduction": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    try call.requireEqualElements(0, 2)
    guard try call.type(1).rank == x.rank, try call.type(2).rank == x.rank else {
      throw OperatorError(
        "x is \(x), indices \(try call.type(1)), updates \(try call.type(2)): accepted are equal ranks")
    }
    _ = try ShapeRules.axis(call.attributes.int("axis", default: 0), rank: x.rank)
    return [ValueFact(x)]
  }
}

/// A copy of the data where the slice at each index tuple takes (or is reduced with) the slice of the
/// updates.
struct ScatterND: Operator {
  let schema = OperatorSchema(
    "scatter_nd",
    "A copy of x with the slices at index tuples replaced (or reduced: add, mul, min, max) by updates.",
    operands: ["x", "indices", "updates"], attributes: ["reduction": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, indices) = (try call.type(0), try call.type(1))
    try call.requireEqualElements(0, 2)
    if let depth = indices.shape.last?.constant, depth > x.rank {
      throw OperatorError("index tuples of \(depth) do not fit \(x)")
    }
    return [ValueFact(x)]
  }
}

/// A cache with new entries written along an axis, beginning at `write_indices[b]` for each batch entry.
struct TensorScatter: Operator {
  let schema = OperatorSchema(
    "tensor_scatter",
    "A cache with 'update' written along 'axis' from write_indices[b] on; mode linear or circular.",
    operands: ["cache", "update", "write_indices?"], attributes: ["axis": .int, "mode": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (cache, update) = (try call.type(0), try call.type(1))
    try call.requireEqualElements(0, 1)
    guard cache.rank == update.rank else {
      throw OperatorError("the cache is \(cache) and the update \(update)")
    }
    return [ValueFact(cache)]
  }
}
