import GraphIR
import Tensors

/// `x * 1`, `x / 1`, `x - 0`, and for integers `x + 0`, are x. (A float -0 + 0 is +0.)
struct DropNeutralOperand: Rule {
  let name = "drop-neutral-operand"
  let anchors = ["mul", "div", "sub", "add"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0] else { return nil }
    let neutral: Double = node.operation == "mul" || node.operation == "div" ? 1 : 0
    if node.operation == "add", view.type(result).element.isFloatingPoint { return nil }
    for (x, constant) in [(a, b), (b, a)] {
      if view.type(x) == view.type(result), view.uniform(constant) == neutral {
        return Patch("\(node.operation) of \(Int(neutral))", replacing: result, with: x)
      }
      if node.operation == "div" || node.operation == "sub" { return nil }
    }
    return nil
  }
}

/// What depends on constants alone is the right operand of commutative operators.
struct ConstantToTheRight: Rule {
  let name = "constant-to-the-right"
  let anchors = ["add", "mul"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0], view.isConstantExpression(a),
      !view.isConstantExpression(b)
    else { return nil }
    return Patch(node.operation, replacing: result, with: node.operation, [b, a])
  }
}

/// Normalizations lose the statistics that nobody reads; `simplified_layer_normalization` without them is
/// `rms_normalization`.
struct DropStatistics: Rule {
  let name = "drop-statistics"
  let anchors = ["layer_normalization", "simplified_layer_normalization"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    let isSimplified = node.operation == "simplified_layer_normalization"
    guard isSimplified || node.results.count > 1, let result = node.results[0],
      node.results.dropFirst().allSatisfy({ $0.map { view.useCount($0) == 0 } ?? true })
    else { return nil }
    return Patch(
      "\(node.operation) for its first result", replacing: result,
      with: isSimplified ? "rms_normalization" : node.operation, node.operands, node.attributes.values)
  }
}
