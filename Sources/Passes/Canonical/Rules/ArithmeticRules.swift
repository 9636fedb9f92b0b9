import GraphIR
import Tensors

///     pow(x, 2) ──► mul(x, x)    pow(x, 1) ──► x    pow(x, 0.5) ──► sqrt(x)    pow(x, -1) ──► reciprocal(x)
struct ExpandPower: Rule {
  let name = "expand-power"
  let anchors = ["pow"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (x, exponent) = view.pair(node), let result = node.results[0],
      view.type(x) == view.type(result), let power = view.uniform(exponent)
    else { return nil }
    let isFloat = view.type(x).element.isFloatingPoint
    switch power {
    case 1: return Patch("power 1", replacing: result, with: x)
    case 2: return Patch("power 2", replacing: result, with: "mul", [x, x])
    case 0.5 where isFloat: return Patch("power 0.5", replacing: result, with: "sqrt", [x])
    case -1 where isFloat: return Patch("power -1", replacing: result, with: "reciprocal", [x])
    default: return nil
    }
  }
}

/// `1 / x` is `reciprocal(x)`.
struct FormReciprocal: Rule {
  let name = "form-reciprocal"
  let anchors = ["div"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (one, x) = view.pair(node), let result = node.results[0], view.type(x) == view.type(result),
      view.type(x).element.isFloatingPoint, view.uniform(one) == 1
    else { return nil }
    return Patch("1 / x", replacing: result, with: "reciprocal", [x])
  }
}

/// `x / sqrt(v)` is `x * reciprocal(sqrt(v))`: one division per root instead of one per element of x.
struct DivideByRoot: Rule {
  let name = "divide-by-root"
  let anchors = ["div"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (x, root) = view.pair(node), let result = node.results[0],
      view.producer(of: root, "sqrt") != nil, !view.isConstantExpression(root)
    else { return nil }
    return Patch("x / sqrt(v)", replacing: [result]) { builder throws(OperatorError) in
      [try builder("mul", x, try builder("reciprocal", root))]
    }
  }
}

/// `x + 0` is x, but for the sign of zero.
struct DropZeroSummand: Rule {
  let name = "drop-zero-summand"
  let anchors = ["add"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0] else { return nil }
    for (x, constant) in [(a, b), (b, a)]
    where view.type(x) == view.type(result) && view.uniform(constant) == 0 {
      return Patch("x + 0", replacing: result, with: x)
    }
    return nil
  }
}
