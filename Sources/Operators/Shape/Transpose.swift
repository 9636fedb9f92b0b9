import GraphIR
import Tensors

/// Reorders axes: `y[i0, i1, ...] = x[...]` with `y.shape[a] = x.shape[perm[a]]`.
struct Transpose: Operator {
  let schema = OperatorSchema(
    "transpose", "Reorders axes; reverses them when 'perm' is absent.", operands: ["x"],
    attributes: ["perm": .ints])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let order = call.attributes.ints("perm") ?? (0..<x.rank).reversed()
    guard order.count == x.rank, Set(order) == Set(0..<x.rank) else {
      throw OperatorError("'perm' \(order) is not a permutation of the \(x.rank) axes of \(x)")
    }
    return [ValueFact(x.element, order.map { x.shape[$0] })]
  }
}
