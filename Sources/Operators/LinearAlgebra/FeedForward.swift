import GraphIR
import Tensors

/// The feed-forward block of a decoder layer, gated or not, with weights of one row per output.
///
///     h = act(gate x + gate_bias) * (up x + up_bias), or act(up x + up_bias) without a gate
///     y = down h + down_bias
///
/// With `group_size` g and `active_groups` k the neurons form groups of g neighbours, scored by the sum of
/// their h; the h of a group whose score is below the k-th largest is 0 (groups that tie with it stay).
struct FeedForward: Operator {
  let schema = OperatorSchema(
    "feed_forward", "down (act(gate x) * (up x)), or down act(up x); of the best groups of neurons if asked.",
    operands: ["x", "up", "down", "gate?", "up_bias?", "down_bias?", "gate_bias?"],
    attributes: ["activation!": .string, "group_size": .int, "active_groups": .int])

  static let activations = ["relu", "relu_squared", "gelu", "gelu_tanh", "silu"]

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    for operand in 1..<7 where call.has(operand) { try call.requireEqualElements(0, operand) }
    let activation = call.attributes.string("activation", default: "")
    guard Self.activations.contains(activation) else {
      throw OperatorError("'activation' is \"\(activation)\", accepted are \(Self.activations)")
    }
    let neurons = try MatrixRules.outputs(call, weight: 1, bias: 4)
    let down = try call.type(2)
    guard down.rank == 2 else { throw OperatorError("'down' is \(down), accepted is a matrix") }
    try call.require(2, shape: [down.shape[0], neurons])
    try call.require(5, shape: [down.shape[0]])
    if call.has(3) {
      try call.require(3, shape: try call.type(1).shape)
      try call.require(6, shape: [neurons])
    } else if call.has(6) {
      throw OperatorError("'gate_bias' is given without 'gate'")
    }
    _ = try Self.groups(call.attributes, neurons)
    return [ValueFact(x.element, x.shape.dropLast() + [down.shape[0]])]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let rows = operands[0]?.shape.dropLast().reduce(Dim(1), *) ?? 1
    let matrices = operands.compactMap { $0 }.dropFirst().filter { $0.rank == 2 }
    return Work(
      flops: matrices.map(\.elementCount).reduce(Dim(0), +) * rows * 2, moving: operands + results)
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    let x = operand(0)
    let activation = node.attributes.string("activation", default: "")
    var hidden = try builder("linear", x, operand(1), operand(4))
    if let gate = operand(3) {
      let gated = try builder("linear", x, gate, operand(6))
      hidden = try builder("mul", try Self.activate(gated, activation, into: &builder), hidden)
    } else {
      hidden = try Self.activate(hidden, activation, into: &builder)
    }
    hidden = try Self.keepActive(hidden, node.attributes, into: &builder)
    return [try builder("linear", hidden, operand(2), operand(5))]
  }

  private static func activate(
    _ x: ValueID, _ activation: String, into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    switch activation {
    case "relu": return try builder("relu", x)
    case "relu_squared":
      let positive = try builder("relu", x)
      return try builder("mul", positive, positive)
    case "gelu": return try builder("gelu", x)
    case "gelu_tanh": return try builder("gelu", x, attributes: ["approximate": .string("tanh")])
    default: return try builder("swish", x)
    }
  }

  /// Zeroes the entries of groups that are not among the best.
  private static func keepActive(
    _ hidden: ValueID, _ attributes: Attributes, into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    let type = builder.type(hidden)
    guard let groups = try Self.groups(attributes, type.shape[type.rank - 1]) else { return hidden }
    let lead = Array(repeating: 0, count: type.rank - 1)
    let split = try builder("reshape", hidden, builder.constant(lead + [groups.count, groups.size]))
    let last = builder.constant([-1])
    let scores = try builder("reduce_sum", split, last, attributes: ["keepdims": .int(0)])
    let best = try builder.add("top_k", [scores, builder.constant([groups.active])], resultCount: 2)[0]
    let least = try builder("reduce_min", best, last)
    let isInactive = try builder("unsqueeze", try builder("less", scores, least), last)
    let kept = try builder("where", isInactive, builder.constant(0, like: hidden), split)
    return try builder("reshape", kept, builder.constant(lead + [groups.count * groups.size]))
  }

  /// The number of groups, their size and how many are active; nil when the attributes ask for none.
  private static func groups(
    _ attributes: Attributes, _ neurons: Dim
  ) throws(OperatorError) -> (count: Int, size: Int, active: Int)? {
    let (size, active) = (
      attributes.int("group_size", default: 0), attributes.int("active_groups", default: 0)
    )
    if size == 0, active == 0 { return nil }
    guard let neurons = neurons.constant else {
      throw OperatorError("groups of neurons need a known number of neurons, found \(neurons)")
    }
    guard size > 0, neurons % size == 0, active > 0, active <= neurons / size else {
      throw OperatorError(
        "'group_size' is \(size) and 'active_groups' \(active) of \(neurons) neurons,"
          + " accepted are a divisor of them and at most as many groups as there are")
    }
    return (neurons / size, size, active)
  }
}
