import GraphIR
import Tensors

/// An operator that reduces the axes that its second operand names.
struct Reduce: Operator {
  let schema: OperatorSchema
  private let content: (@Sendable ([Dim]) -> Dim)?

  /// - Parameter content: the reduction of all of a symbolic vector.
  init(_ name: String, _ summary: String, content: (@Sendable ([Dim]) -> Dim)? = nil) {
    schema = OperatorSchema(
      name, "\(summary) All axes when 'axes' is absent or empty, unless 'noop_with_empty_axes' is 1.",
      operands: ["x", "axes?"], attributes: ["keepdims": .int, "noop_with_empty_axes": .int])
    self.content = content
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let keepsAxes = call.attributes.bool("keepdims", default: true)
    guard let axes = try axes(call, rank: x.rank) else { return [try unknown(call, x, keepsAxes)] }
    var shape: [Dim] = []
    for (axis, dim) in x.shape.enumerated() {
      if !axes.contains(axis) { shape.append(dim) } else if keepsAxes { shape.append(1) }
    }
    var known: [Dim]?
    if axes.count == x.rank, Content.isTracked(x.element), let content, let elements = call.content(0),
      !elements.isEmpty
    {
      known = [content(elements)]
    }
    return [ValueFact(TensorType(x.element, shape), content: known)]
  }

  /// The reduced axes; nil when the operand that names them is not known.
  private func axes(_ call: InferenceCall, rank: Int) throws(OperatorError) -> Set<Int>? {
    var given: [Int] = []
    if call.has(1) {
      if try call.type(1).shape.first?.constant != 0 {
        guard let axes = call.integers(1) else { return nil }
        given = axes
      }
    }
    if given.isEmpty {
      return call.attributes.bool("noop_with_empty_axes", default: false) ? [] : Set(0..<rank)
    }
    var axes: Set<Int> = []
    for axis in given { axes.insert(try ShapeRules.axis(axis, rank: rank)) }
    return axes
  }

  /// The axes are computed at run time: the extents are unknown, the rank needs their number.
  private func unknown(_ call: InferenceCall, _ x: TensorType, _ keepsAxes: Bool) throws(OperatorError)
    -> ValueFact
  {
    if keepsAxes { return ValueFact(x.element, x.shape.map { _ in call.unknownDim() }) }
    guard let count = try call.type(1).shape.first?.constant, count <= x.rank else {
      throw OperatorError("the number of axes to reduce is not known, so neither is the rank of the result")
    }
    return ValueFact(x.element, (0..<(x.rank - count)).map { _ in call.unknownDim() })
  }
}

enum ReductionOperators {
  static let all: [any Operator] = [
    Reduce("reduce_sum", "The sum over axes.") { $0.reduce(0, +) },
    Reduce("reduce_mean", "The mean over axes."),
    Reduce("reduce_max", "The maximum over axes.") { $0.dropFirst().reduce($0[0], Content.maximum) },
    Reduce("reduce_min", "The minimum over axes.") { $0.dropFirst().reduce($0[0], Content.minimum) },
    Reduce("reduce_prod", "The product over axes.") { $0.reduce(1, *) },
    Reduce("reduce_l1", "The sum of magnitudes over axes."),
    Reduce("reduce_l2", "The square root of the sum of squares over axes."),
    Reduce("reduce_log_sum", "The logarithm of the sum over axes."),
    Reduce("reduce_log_sum_exp", "The logarithm of the sum of exponentials over axes."),
    Reduce("reduce_sum_square", "The sum of squares over axes."),
    ArgReduce("arg_max", "The position of the largest element along an axis."),
    ArgReduce("arg_min", "The position of the smallest element along an axis."),
    Cumulative("cum_sum", "The running sum along an axis.") { $0 + $1 },
    Cumulative("cum_prod", "The running product along an axis.") { $0 * $1 },
    AxisMap("softmax", "exp(x) / sum(exp(x)) along an axis."),
    AxisMap("log_softmax", "x - log(sum(exp(x))) along an axis."),
    AxisMap("hardmax", "1 at the first largest element along an axis, 0 elsewhere."),
    AxisMap(
      "lp_normalization", "x divided by its 1-norm or 2-norm along an axis.",
      attributes: ["axis": .int, "p": .int]),
  ]
}
