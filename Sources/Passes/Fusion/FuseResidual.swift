public import GraphIR
import Tensors

extension RewritePass {
  /// The sum of residual and branch, and the norm in front of the next branch, become one operator.
  public static let fuseResidual = RewritePass(
    "fuse-residual", "Makes the residual sum and its norm one operator.", fidelity: .rounding,
    rules: [FuseResidual()])
}

/// A sum that is normalized.
///
///     %b = rms_normalization(%branch, @after)
///     %sum = add(%residual, %b)                   %sum, %y = residual_normalization(
///     %y = rms_normalization(%sum, @before)  ──►    %residual, %branch, @before, _, @after)
///
/// The norm of the branch is optional, the outer norm may be `layer_normalization`. Others may read the sum:
/// it is the next residual. Of several norms of one sum the first takes it.
///
/// Requires: residual and branch of one type; norms over the last axis, with scales that depend on constants
/// alone.
struct FuseResidual: Rule {
  let name = "fuse-residual"
  let anchors = ["rms_normalization", "layer_normalization"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let norm = view[id]
    guard let sum = norm.operands[0], let (a, b) = view.pair(sum, "add"), let y = norm.results[0] else {
      return nil
    }
    guard norm.results.count == 1 else { throw Miss("the statistics of the norm are used") }
    guard view.type(a) == view.type(b), !view.isConstantExpression(a), !view.isConstantExpression(b) else {
      throw Miss(
        "the summands are \(view.type(a)) and \(view.type(b)), need a residual and a branch of one type")
    }
    try view.requireLastAxis(norm)
    for case let vector? in norm.operands.dropFirst() {
      try Self.requireConstantVector(vector, like: sum, view)
    }
    let (residual, branch) = Self.order(a, b, view)
    let inner = try Self.branchNorm(branch, view)
    var operands = [residual, inner?.operands[0] ?? branch] + norm.operands.dropFirst()
    var attributes: [String: AttributeValue] = [
      "epsilon": .float(norm.attributes.float("epsilon", default: 1e-5)),
      "centered": .int(norm.operation == "layer_normalization" ? 1 : 0),
    ]
    if let inner {
      if operands.count < 4 { operands.append(nil) }
      operands.append(inner.operands[1])
      attributes["branch_epsilon"] = .float(inner.attributes.float("epsilon", default: 1e-5))
    }
    let (given, values) = (operands, attributes)
    return Patch(
      inner == nil ? norm.operation : "\(norm.operation), the branch normalized", replacing: [sum, y]
    ) { builder throws(OperatorError) in
      try builder.add("residual_normalization", given, Attributes(values), resultCount: 2).map { $0! }
    }
  }

  /// The summands as residual and branch: the branch is what is normalized for the sum, else the result of a
  /// projection, else the right one.
  private static func order(
    _ a: ValueID, _ b: ValueID, _ view: borrowing GraphView
  ) -> (residual: ValueID, branch: ValueID) {
    for operations in [["rms_normalization"], ["linear", "feed_forward"]] {
      for (residual, branch) in [(a, b), (b, a)] {
        guard let id = view.graph.producer(of: branch), operations.contains(view[id].operation),
          view.useCount(branch) == 1
        else { continue }
        return (residual, branch)
      }
    }
    return (a, b)
  }

  private static func branchNorm(_ branch: ValueID, _ view: borrowing GraphView) throws(Miss) -> Node? {
    guard let norm = view.producer(of: branch, "rms_normalization"), view.useCount(branch) == 1,
      let scale = norm.operands[1]
    else { return nil }
    try view.requireLastAxis(norm)
    try requireConstantVector(scale, like: branch, view)
    return norm
  }

  private static func requireConstantVector(
    _ value: ValueID, like x: ValueID, _ view: borrowing GraphView
  ) throws(Miss) {
    guard view.isConstantExpression(value) else {
      throw Miss("a scale is computed at run time, need a constant")
    }
    guard view.type(value).rank == 1 else { throw Miss("a scale is \(view.type(value)), need a vector") }
  }
}
