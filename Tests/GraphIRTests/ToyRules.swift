import GraphIR
import Tensors

/// Rules over the toy operators.
enum ToyRules {
  /// `relu(relu(x))` is `relu(x)`.
  struct DropDoubleRelu: Rule {
    let name = "drop-double-relu"
    let anchors = ["relu"]

    func match(_ node: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
      guard let inner = view[node].operands[0], view.producer(of: inner, "relu") != nil else { return nil }
      return Patch("a relu of a relu", replacing: view[node].results[0]!, with: inner)
    }
  }

  /// `relu(add(a, b))` becomes `clip(add(a, b), 0)` when nothing else reads the sum.
  struct ReluOfSum: Rule {
    let name = "clip-sum"
    let anchors = ["relu"]

    func match(_ node: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
      guard let sum = view[node].operands[0], let (a, b) = view.pair(sum, "add") else { return nil }
      try view.requireSingleUse(sum, "the sum")
      return Patch("a relu of a sum", replacing: [view[node].results[0]!]) { builder throws(OperatorError) in
        let sum = try builder("add", a, b)
        return [try builder("clip", sum, builder.constant(0), nil)]
      }
    }
  }

  /// `add(a, b)` becomes `add(b, a)`, for ever.
  struct SwapSum: Rule {
    let name = "swap-sum"
    let anchors = ["add"]

    func match(_ node: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
      guard let (a, b) = view.pair(view[node]) else { return nil }
      return Patch("swapped", replacing: view[node].results[0]!, with: "add", [b, a])
    }
  }

  /// Two results at once: `add(relu(x), c)` becomes the halves of a `split`, of another type unless x has one
  /// element.
  struct JoinPair: Rule {
    let name = "join-pair"
    let anchors = ["add"]

    func match(_ node: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
      guard let (a, b) = view.pair(view[node]), let x = view.operand(of: a, "relu"),
        view.isConstantExpression(b)
      else { return nil }
      return Patch("relu and sum", replacing: [a, view[node].results[0]!]) { builder throws(OperatorError) in
        let both = try builder("concat", x, x)
        return try builder.add("split", [both], Attributes(["axis": .int(0)]), resultCount: 2).map { $0! }
      }
    }
  }

  /// Builds what its operator refuses.
  struct Break: Rule {
    let name = "break"
    let anchors = ["relu"]

    func match(_ node: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
      Patch("broken", replacing: view[node].results[0]!, with: "matmul", [view[node].operands[0], nil])
    }
  }

  static func pass(_ rules: any Rule...) -> RewritePass {
    RewritePass("toy", "Toy rules.", fidelity: .exact, rules: rules)
  }
}
