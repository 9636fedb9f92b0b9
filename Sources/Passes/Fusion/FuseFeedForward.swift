public import GraphIR
import Tensors

extension RewritePass {
  /// The products of a feed-forward block and what stands between them become one operator.
  public static let fuseFeedForward = RewritePass(
    "fuse-feed-forward", "Makes the feed-forward block of a layer one operator.", fidelity: .rounding,
    rules: [FuseFeedForward(), ReportExperts()])
}

/// A feed-forward block, gated or not, with or without groups of neurons of which only the best are active.
///
///     %g = linear(%x, @gate)
///     %u = linear(%x, @up)
///     %a = gelu(%g) {approximate = "tanh"}
///     %h = mul(%a, %u)                            %y = feed_forward(%x, @up, @down, @gate)
///     %y = linear(%h, @down)               ──►         {activation = "gelu_tanh"}
///
/// Gates may be cut off far above their mean first (``StatisticalCutoff``), which becomes the attribute `cutoff`.
///
/// One product with the rows of gate and up, whose result is split or sliced, counts as two.
///
/// Requires: weights that depend on constants alone; nobody else reads what lies between the products.
struct FuseFeedForward: Rule {
  let name = "fuse-feed-forward"
  let anchors = ["linear"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let hidden = node.operands[0], let result = node.results[0] else { return nil }
    let groups = ActiveGroups(hidden, view)
    let neurons = groups?.neurons ?? hidden
    guard let block = try FeedForwardInner(neurons, view) else {
      if groups != nil { throw Miss("its groups of neurons are not those of a known activation") }
      return nil
    }
    try view.requireSingleUse(hidden, "the hidden layer")
    if let groups { try groups.requireSingleUses(view) }
    let down = node.operands
    return Patch(block.description, replacing: [result]) { builder throws(OperatorError) in
      let up = try block.up.operands(&builder)
      let gate = try block.gate?.operands(&builder)
      var attributes: [String: AttributeValue] = ["activation": .string(block.activation)]
      if let cutoff = block.cutoff { attributes["cutoff"] = .float(cutoff.deviations) }
      if let groups {
        attributes["group_size"] = .int(groups.size)
        attributes["active_groups"] = .int(groups.active)
      }
      var operands = [
        block.up.x, up.weight, down[1], gate?.weight, up.bias, down.count > 2 ? down[2] : nil, gate?.bias,
      ]
      while case .some(nil) = operands.last { operands.removeLast() }
      return [try builder.add("feed_forward", operands, Attributes(attributes))[0]!]
    }
  }
}

/// The hidden layer in front of the down projection: `act(gate x) * (up x)` or `act(up x)`.
private struct FeedForwardInner {
  let activation: String
  let up: ProductRows
  let gate: ProductRows?
  var cutoff: StatisticalCutoff?

  var description: String {
    gate == nil ? activation : "\(activation), gated\(cutoff == nil ? "" : ", cut off")"
  }

  init?(_ value: ValueID, _ view: borrowing GraphView) throws(Miss) {
    if let activated = Activation(value, view), let up = ProductRows(activated.operand, view) {
      (activation, self.up, gate) = (activated.name, up, nil)
      try activated.requireSingleUses(view)
      try up.requireReaders([value], view)
      return
    }
    guard let (a, b) = view.pair(value, "mul") else { return nil }
    for (left, right) in [(a, b), (b, a)] {
      guard let activated = Activation(left, view) else { continue }
      let cutoff = StatisticalCutoff(activated.operand, view)
      let gates = cutoff?.gates ?? activated.operand
      guard let gate = ProductRows(gates, view), let up = ProductRows(right, view)
      else { continue }
      guard gate.x == up.x else { throw Miss("gate and up read different values, need one") }
      guard view.type(gates) == view.type(right) else {
        throw Miss("gate is \(view.type(gates)), up is \(view.type(right)), need equal types")
      }
      (activation, self.up, self.gate) = (activated.name, up, gate)
      try view.requireSingleUse(left, "the activated gate")
      try activated.requireSingleUses(view)
      try cutoff?.requireSingleUses(view)
      self.cutoff = cutoff
      try view.requireSingleUse(right, "the up projection")
      try gate.requireReaders([gates, right], view)
      try up.requireReaders([gates, right], view)
      return
    }
    return nil
  }
}

/// An activation that `feed_forward` knows, and what it is applied to.
private struct Activation {
  let name: String
  let operand: ValueID
  /// The rectified value that is squared.
  private let inner: ValueID?

  init?(_ value: ValueID, _ view: borrowing GraphView) {
    if let (a, b) = view.pair(value, "mul"), a == b, let x = view.operand(of: a, "relu") {
      (name, operand, inner) = ("relu_squared", x, a)
      return
    }
    guard let node = view.producer(of: value, "relu", "gelu", "swish"), let x = node.operands[0] else {
      return nil
    }
    (operand, inner) = (x, nil)
    switch node.operation {
    case "relu": name = "relu"
    case "gelu":
      name = node.attributes.string("approximate", default: "none") == "tanh" ? "gelu_tanh" : "gelu"
    default:
      guard node.attributes.float("alpha", default: 1) == 1 else { return nil }
      name = "silu"
    }
  }

  func requireSingleUses(_ view: borrowing GraphView) throws(Miss) {
    if let inner, view.useCount(inner) != 2 {
      throw Miss("the rectified value has \(view.useCount(inner)) uses, need its square alone")
    }
    try view.requireSingleUse(operand, "the product in front of the activation")
  }
}
