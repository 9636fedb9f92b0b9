import GraphIR
import Tensors

/// The rows of a head whose logits may reach a threshold, with these logits.
///
///     logits, ids, count = certify_rows(x, threshold, weight, bound_weight, bound_error, bound_slack, metric, bias, shift)
///
/// `bound_weight` holds the rows of `weight` in the smaller `bound_format`; both are absent where `weight` is
/// stored in nested planes, whose first one stands for them. With `bound_error` [V],
/// `bound_slack` [2] and `metric` [K, K] it gives upper bounds of logits (`RowBound` of the kernel tells
/// how). Listed are at least the rows with `softcap(weight x + bias) + shift >= threshold`, where they are
/// `capacity` at most: what is not listed does not reach the threshold. `count` says how many there are; when
/// there are more than `capacity`, or places are left, the places are minus infinity with id -1.
///
/// The exact meaning is the definition that is decomposed into: the rows that reach the threshold, those with
/// the largest logits first. The kernel may list more, and gives them by id.
struct CertifyRows: Operator {
  let schema = OperatorSchema(
    "certify_rows",
    "The rows of softcap(weight x + bias) that may reach a threshold by a bound, their logits, and how many they are.",
    operands: [
      "x", "threshold", "weight", "bound_weight?", "bound_error", "bound_slack", "metric?", "bias?", "shift?",
    ], results: 1...3,
    attributes: ["weight_format": .string, "bound_format": .string, "capacity!": .int, "softcap": .float])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard x.rank == 3, x.element == .f32 else { throw OperatorError("x is \(x), accepted is f32[B, S, K]") }
    let capacity = try call.requiredInt("capacity")
    guard capacity > 0 else { throw OperatorError("'capacity' is \(capacity), accepted are 1 and more") }
    let lead = Array(x.shape.dropLast())
    try call.requireEqualElements(0, 1)
    try call.require(1, shape: lead)
    let vocabulary = try MatrixRules.outputs(call, weight: 2, format: "weight_format", bias: 7)
    try requireCopies(call, vocabulary, columns: x.shape[2])
    for (operand, shape) in [
      (4, [vocabulary]), (5, [2]), (6, [x.shape[2], x.shape[2]]), (8, lead + [vocabulary]),
    ] {
      try call.require(operand, shape: shape)
      if call.has(operand) { try call.requireEqualElements(0, operand) }
    }
    let found = lead + [Dim(capacity)]
    return [ValueFact(.f32, found), ValueFact(.i32, found), ValueFact(.i32, lead)]
  }

  private func requireCopies(_ call: InferenceCall, _ vocabulary: Dim, columns: Dim) throws(OperatorError) {
    let format = try WeightRules.format(call.attributes, "bound_format")
    if call.attributes["bound_format"] == nil, Self.plane(call.attributes) != nil {
      guard !call.has(3) else { throw OperatorError("operand 3 is given without 'bound_format'") }
      return
    }
    guard format.quantizesActivations else {
      throw OperatorError("'bound_format' is \"\(format)\", accepted are formats of blocks")
    }
    let copies = try WeightRules.rows(call, 3, format: "bound_format", columns: columns)
    if let a = copies.constant, let b = vocabulary.constant, a != b {
      throw OperatorError("operand 3 has \(a) rows, accepted are \(b)")
    }
  }

  /// The format of the weight's first plane.
  private static func plane(_ attributes: Attributes) -> BlockFormat? {
    BlockFormat(rawValue: attributes.string("weight_format", default: ""))?.firstPlane
  }

  /// Rows that are computed exactly are left out: how many they are is not known.
  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    guard operands.count > 3, let x = operands[0], let weight = operands[2] else {
      return Work(flops: 0, moving: operands + results)
    }
    var read = operands
    read[2] = nil
    if read[3] == nil, let plane = Self.plane(attributes), let columns = x.shape.last?.constant {
      read[3] = TensorType(.u8, [weight.shape[0], Dim(plane.rowBytes(columns))])
    }
    return Work(flops: x.elementCount * weight.shape[0] * 2, moving: read + results)
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    var attributes: [String: AttributeValue] = [:]
    for name in ["weight_format", "softcap"] { attributes[name] = node.attributes[name] }
    let logits = try builder("lm_head", operand(0), operand(2), operand(7), attributes: attributes)
    let capacity = node.attributes.int("capacity") ?? 1
    guard let vocabulary = builder.type(logits).shape[2].constant else {
      throw OperatorError("the vocabulary must be known, found \(builder.type(logits))")
    }
    let axis = builder.constant([-1])
    let raised =
      try operand(8).map { shift throws(OperatorError) in try builder("add", logits, shift) } ?? logits
    let least = try builder("unsqueeze", operand(1), axis)
    let isBelow = try builder("less", raised, least)
    let ones = try builder("cast", try builder("not", isBelow), attributes: ["to": .element(.i32)])
    let count = try builder("reduce_sum", ones, axis, attributes: ["keepdims": .int(0)])
    // Where too many rows reach the threshold, none is listed.
    let fits = try builder("less", count, builder.constant(Double(capacity + 1), like: count))
    let isListed = try builder(
      "and", try builder("not", isBelow), try builder("unsqueeze", fits, axis))
    let kept = try builder("where", isListed, logits, builder.constant(-.infinity, like: logits))
    let best = try builder.add(
      "top_k", [kept, builder.constant([min(capacity, vocabulary)])], resultCount: 2)
    var values = best[0]!
    let places = try builder("cast", best[1], attributes: ["to": .element(.i32)])
    let isRow = try builder("less", builder.constant(-.infinity, like: values), values)
    var ids = try builder("where", isRow, places, builder.constant(-1, like: places))
    if capacity > vocabulary {
      let pads = builder.constant([0, 0, 0, 0, 0, capacity - vocabulary])
      values = try builder("pad", values, pads, builder.constant(-.infinity, like: values))
      ids = try builder("pad", ids, pads, builder.constant(-1, like: ids))
    }
    return [values, ids, count]
  }
}
