import GraphIR
import Kernels
import Tensors

/// A feed-forward block of those groups of neurons that matter, found with a predictor or by their gates.
///
///     h = act(gate x + gate_bias) * (up x + up_bias), or act(up x + up_bias) without a gate
///     y = h down + down_bias, of active groups of h alone
///
/// `down` holds the columns of [D, F], one per neuron, in `down_format` (``BlockColumns``). Neurons form groups of
/// `group_size` neighbours, scored by the sum of |act|, or of `importance` |h| where that is given. `scan` predicts
/// the scores: panels of small codes whose rows are those of gate (of up without one) in the coordinates `projection`
/// [R, K] x, or in x itself; without a scan gate (or up) is computed exactly. First scores are sums of |act| times
/// `gate_importance`. The first `common_groups` and the best by these scores are `candidate_groups`, computed exactly;
/// `active_groups` of them, all when absent, are the best by exact scores. Neurons whose h is 0 are left out.
///
/// `scan` has no rows for the common groups. With `scan_of` "groups" it has one row for each other group, the mean of
/// its neurons' rows, and first scores are means of their gates (of up products without one).
///
/// With `cutoff`, without a scan, gates are cut off before the activation (``GateCutoff``).
///
/// With `bound_weight`, behind ReLU and where all neurons are candidates, gate (up without one) is computed of those
/// neurons alone whose upper bound is not below 0: copies of its rows in the smaller `bound_format`, with `bound_error`
/// [F] and `bound_slack` [2], give these bounds (`RowBound` of the kernels tells how). They change no bit.
/// `expected_candidates` neurons of a token pass them, and `expected_active` are not 0, as far as calibration told.
///
/// The exact meaning is the definition that is decomposed into: the best active groups of all by exact scores; with a
/// scan and without `active_groups`, all groups. With a scan or with `importance` the kernel may miss some.
struct HireFeedForward: Operator {
  let schema = OperatorSchema(
    "hire_feed_forward", "A feed-forward block of the groups of neurons that matter, found with a predictor.",
    operands: [
      "x", "up", "down", "gate?", "scan?", "projection?", "up_bias?", "down_bias?", "gate_bias?",
      "gate_importance?", "importance?", "bound_weight?", "bound_error?", "bound_slack?",
    ],
    attributes: [
      "activation!": .string, "group_size!": .int, "candidate_groups!": .int, "active_groups": .int,
      "common_groups": .int, "cutoff": .float, "outputs!": .int, "scan_rank": .int, "scan_bits": .int,
      "scan_of": .string, "up_format": .string, "gate_format": .string, "down_format!": .string,
      "bound_format": .string, "expected_candidates": .int, "expected_active": .int,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let settings = try HireNeuronSettings(call.attributes, orThrow: { OperatorError($0) })
    let count = try MatrixRules.outputs(call, weight: 1, format: "up_format", bias: 6)
    guard let neurons = count.constant else {
      throw OperatorError("groups of neurons need a known number of neurons, found \(count)")
    }
    _ = try settings.groupCount(neurons, orThrow: { OperatorError($0) })
    let columns = settings.columns
    try call.require(
      2, .u8, [columns.count(columns: neurons), columns.panelBytes], "'down' of \(settings.outputs) outputs")
    if call.has(3) {
      _ = try MatrixRules.outputs(call, weight: 3, format: "gate_format", bias: 8)
      try call.require(3, shape: [count, try call.type(3).shape[1]])
    } else if settings.cutoff != nil {
      throw OperatorError("'cutoff' is given without 'gate'")
    } else if call.has(8) {
      throw OperatorError("'gate_bias' is given without 'gate'")
    }
    try scan(call, settings, neurons)
    try bounds(call, settings, neurons)
    try call.require(7, shape: [Dim(settings.outputs)])
    for operand in [9, 10] where call.has(operand) {
      try call.require(operand, .f32, [neurons], "an importance")
    }
    return [ValueFact(x.element, x.shape.dropLast() + [Dim(settings.outputs)])]
  }

  /// Checks the predictor.
  private func scan(_ call: InferenceCall, _ settings: HireNeuronSettings, _ neurons: Int)
    throws(OperatorError)
  {
    let x = try call.type(0)
    guard call.has(4) else {
      if call.has(5) { throw OperatorError("'projection' is given without 'scan'") }
      return
    }
    if settings.cutoff != nil {
      throw OperatorError("'cutoff' is given with 'scan', which does not see all gates")
    }
    guard let panels = settings.panels else {
      throw OperatorError("'scan_rank' and 'scan_bits' are missing, needed with 'scan'")
    }
    if settings.scansGroups, call.has(9) {
      throw OperatorError("'gate_importance' is given with a scan of groups, which has no gates to weigh")
    }
    let rows = settings.scanRows(neurons)
    try call.require(4, .u8, [panels.count(rows: rows), panels.byteCount], "'scan'")
    var rank = x.shape[x.rank - 1]
    if call.has(5) {
      let projection = try call.type(5)
      guard projection.element == .f32, projection.rank == 2 else {
        throw OperatorError("the projection is \(projection), accepted is f32[R, K]")
      }
      try call.require(5, shape: [projection.shape[0], rank])
      rank = projection.shape[0]
    }
    guard panels.rank <= rank.constant ?? panels.rank else {
      throw OperatorError("'scan_rank' is \(panels.rank), accepted are \(rank) coordinates at most")
    }
  }

  /// Checks the bounds.
  private func bounds(_ call: InferenceCall, _ settings: HireNeuronSettings, _ neurons: Int)
    throws(OperatorError)
  {
    guard call.attributes["bound_format"] != nil else {
      if let operand = (11...13).first(where: call.has) {
        throw OperatorError("operand \(operand) is given without 'bound_format'")
      }
      return
    }
    let format = try WeightRules.format(call.attributes, "bound_format")
    try settings.checkBounds(format, neurons: neurons, orThrow: { OperatorError($0) })
    let x = try call.type(0)
    let copies = try WeightRules.rows(call, 11, format: "bound_format", columns: x.shape[x.rank - 1])
    if let copies = copies.constant, copies != neurons {
      throw OperatorError("operand 11 has \(copies) rows, accepted are \(neurons)")
    }
    try call.require(12, .f32, [neurons], "'bound_error'")
    try call.require(13, .f32, [2], "'bound_slack'")
  }

  /// Rows of candidates and of active groups count as far as they are chosen, or expected, for every row of x anew.
  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    guard let x = operands[0], let up = operands[1], let neurons = up.shape[0].constant,
      let settings = try? HireNeuronSettings(attributes, orThrow: { OperatorError($0) })
    else { return Work(flops: 0, moving: operands + results) }
    func operand(_ index: Int) -> TensorType? { index < operands.count ? operands[index] : nil }
    let queries = x.shape.dropLast().reduce(Dim(1), *)
    func part(_ type: TensorType?, _ rows: Int) -> TensorType? {
      guard let type, rows < neurons else { return type }
      return TensorType(type.element, [queries * rows] + type.shape.dropFirst())
    }
    let counts = settings.counts(
      neurons, isScanned: operand(4) != nil, isGated: operand(3) != nil, isBounded: operand(11) != nil,
      .expected)
    let inner = x.shape.last ?? 1
    var products = queries * (counts.up + counts.gate) * inner + queries * counts.active * settings.outputs
    if operand(4) != nil {
      products =
        products + queries * (settings.scanRows(neurons) * (settings.panels?.rank ?? 0))
        + queries * (operand(5)?.elementCount ?? 0)
    }
    if operand(11) != nil { products = products + queries * neurons * inner }
    return Work(
      flops: products * 2,
      moving: [
        x, part(up, counts.up), part(operand(3), counts.gate), operand(4), operand(5), operand(11),
        operand(12),
        TensorType(.u8, [queries * counts.active, Dim(settings.columns.columnBytes)]),
        TensorType(.u8, [Dim(settings.columns.parameterBytes(columns: neurons))]),
      ] + results)
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let settings = try HireNeuronSettings(node.attributes, orThrow: { OperatorError($0) })
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    guard let x = operand(0) else { return nil }
    let inner = builder.type(x).shape.last ?? 1
    func product(_ index: Int, _ format: String, bias: Int, _ builder: inout GraphBuilder)
      throws(OperatorError)
      -> ValueID?
    {
      let weights = try WeightRules.unpacked(
        operand(index), node.attributes, format, columns: inner, like: x, into: &builder)
      return try weights.map { weights throws(OperatorError) in
        try builder("linear", x, weights, operand(bias))
      }
    }
    guard var hidden = try product(1, "up_format", bias: 6, &builder) else { return nil }
    var scored: ValueID
    if let gate = try product(3, "gate_format", bias: 8, &builder) {
      let gates = try FeedForward.cut(gate, settings.cutoff, into: &builder)
      scored = try FeedForward.activate(gates, settings.activation, into: &builder)
      hidden = try builder("mul", scored, hidden)
    } else {
      scored = try FeedForward.activate(hidden, settings.activation, into: &builder)
      hidden = scored
    }
    let element = builder.type(x).element
    if let importance = operand(10) {
      let weights =
        element == .f32
        ? importance : try builder("cast", importance, attributes: ["to": .element(element)])
      scored = try builder("mul", hidden, weights)
    }
    // What a scan misses is missed.
    if operand(4) == nil || !settings.keepsCandidates {
      hidden = try Self.keepActive(hidden, by: scored, settings, into: &builder)
    }
    guard let neurons = builder.type(hidden).shape.last?.constant else { return nil }
    var down = try builder(
      "unpack_columns", operand(2),
      attributes: [
        "format": .string(node.attributes.string("down_format", default: "")), "rows": .int(settings.outputs),
        "columns": .int(neurons),
      ])
    if element != .f32 { down = try builder("cast", down, attributes: ["to": .element(element)]) }
    return [try builder("linear", hidden, down, operand(7))]
  }

  /// Zeroes the entries of groups that are not among the best.
  private static func keepActive(
    _ hidden: ValueID, by scored: ValueID, _ settings: HireNeuronSettings, into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    let type = builder.type(hidden)
    guard let neurons = type.shape[type.rank - 1].constant else {
      throw OperatorError("groups of neurons need a known number of neurons, found \(type)")
    }
    let (lead, groups) = (Array(repeating: 0, count: type.rank - 1), neurons / settings.groupSize)
    let shape = builder.constant(lead + [groups, settings.groupSize])
    let last = builder.constant([-1])
    let magnitudes = try builder("abs", try builder("reshape", scored, shape))
    let scores = try builder("reduce_sum", magnitudes, last, attributes: ["keepdims": .int(0)])
    let best = try builder.add(
      "top_k", [scores, builder.constant([settings.activeGroups])], resultCount: 2)[1]
    // [..., k, 1] beside [groups]: whether a group is one of the k.
    let places = builder.constant(Array(0..<groups))
    let isBest = try builder("equal", try builder("unsqueeze", best, last), places)
    let count = try builder(
      "reduce_sum", try builder("cast", isBest, attributes: ["to": .element(type.element)]),
      builder.constant([-2]), attributes: ["keepdims": .int(0)])
    let mask = try builder("unsqueeze", count, last)
    let kept = try builder("mul", try builder("reshape", hidden, shape), mask)
    return try builder("reshape", kept, builder.constant(lead + [neurons]))
  }
}
