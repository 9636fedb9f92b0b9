import GraphIR
import Kernels
import Tensors

/// The feed-forward block of a decoder layer, gated or not, with weights of one row per output.
///
///     h = act(gate x + gate_bias) * (up x + up_bias), or act(up x + up_bias) without a gate
///     y = down h + down_bias
///
/// With `group_size` g and `active_groups` k the neurons form groups of g neighbours, scored by the sum of
/// their h; the h of a group whose score is below the k-th largest is 0 (groups that tie with it stay).
///
/// With `cutoff` c what is activated is max(0, z - (mean(z) + c std(z))) of the gates z of a row (``GateCutoff``).
struct FeedForward: Operator {
  let schema = OperatorSchema(
    "feed_forward", "down (act(gate x) * (up x)), or down act(up x); of the best groups of neurons if asked.",
    operands: ["x", "up", "down", "gate?", "up_bias?", "down_bias?", "gate_bias?"],
    attributes: [
      "activation!": .string, "group_size": .int, "active_groups": .int, "cutoff": .float,
      "up_format": .string,
      "down_format": .string, "gate_format": .string,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    _ = try Activation(call.attributes, orThrow: { OperatorError($0) })
    let neurons = try MatrixRules.outputs(call, weight: 1, format: "up_format", bias: 4)
    let outputs = try WeightRules.rows(call, 2, format: "down_format", columns: neurons)
    if call.has(5) { try call.requireEqualElements(0, 5) }
    try call.require(5, shape: [outputs])
    if call.has(3) {
      _ = try MatrixRules.outputs(call, weight: 3, format: "gate_format", bias: 6)
      try call.require(3, shape: [neurons, try call.type(3).shape[1]])
    } else if GateCutoff(call.attributes) != nil {
      throw OperatorError("'cutoff' is given without 'gate'")
    } else if call.has(6) {
      throw OperatorError("'gate_bias' is given without 'gate'")
    }
    _ = try Self.groups(call.attributes, neurons)
    return [ValueFact(x.element, x.shape.dropLast() + [outputs])]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let x = operands[0]?.shape ?? []
    let rows = x.dropLast().reduce(Dim(1), *)
    let neurons = operands[1]?.shape.first ?? 1
    let (inward, outward) = (neurons * (x.last ?? 1), neurons * (operands[2]?.shape.first ?? 1))
    let isGated = operands.count > 3 && operands[3] != nil
    return Work(flops: (inward * (isGated ? 2 : 1) + outward) * rows * 2, moving: operands + results)
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    let x = operand(0)
    func weights(
      _ index: Int, _ format: String, of input: ValueID?, _ builder: inout GraphBuilder
    ) throws(OperatorError) -> ValueID? {
      try WeightRules.unpacked(
        operand(index), node.attributes, format, columns: input.flatMap { builder.type($0).shape.last } ?? 1,
        like: input, into: &builder)
    }
    let activation = try Activation(node.attributes, orThrow: { OperatorError($0) })
    let up = try weights(1, "up_format", of: x, &builder)
    var hidden = try builder("linear", x, up, operand(4))
    if let gate = try weights(3, "gate_format", of: x, &builder) {
      let gated = try Self.cut(
        try builder("linear", x, gate, operand(6)), GateCutoff(node.attributes), into: &builder)
      hidden = try builder("mul", try Self.activate(gated, activation, into: &builder), hidden)
    } else {
      hidden = try Self.activate(hidden, activation, into: &builder)
    }
    hidden = try Self.keepActive(hidden, node.attributes, into: &builder)
    let down = try weights(2, "down_format", of: hidden, &builder)
    return [try builder("linear", hidden, down, operand(5))]
  }

  /// What is left of gates.
  static func cut(
    _ gates: ValueID, _ cutoff: GateCutoff?, into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    guard let cutoff else { return gates }
    let last = builder.constant([-1])
    let above = try builder("sub", gates, try builder("reduce_mean", gates, last))
    let variance = try builder("reduce_mean", try builder("mul", above, above), last)
    let factor = builder.constant(Double(cutoff.deviations), like: gates)
    let cut = try builder("mul", try builder("sqrt", variance), factor)
    return try builder("relu", try builder("sub", above, cut))
  }

  static func activate(
    _ x: ValueID, _ activation: Activation, into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    switch activation {
    case .relu: return try builder("relu", x)
    case .reluSquared:
      let positive = try builder("relu", x)
      return try builder("mul", positive, positive)
    case .gelu: return try builder("gelu", x)
    case .geluTanh: return try builder("gelu", x, attributes: ["approximate": .string("tanh")])
    case .silu: return try builder("swish", x)
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
