import Tensors

/// The feed-forward block of a decoder layer, f32, with weights in some formats.
///
///     h = act(gate x + gate_bias) * (up x + up_bias), or act(up x + up_bias) without a gate
///     y = down h + down_bias
///
/// Operands: x `[..., K]`, up `[F, K]`, down `[D, F]`, gate `[F, K]`, up_bias, down_bias, gate_bias.
///
/// 1. Pieces of neurons: their rows of gate and up, the activation, the product. Gates that are cut off (``GateCutoff``)
///    are all computed before.
/// 2. With groups: the entries of those that are not among the best become 0.
/// 3. Pieces of the result: rows of down.
struct FeedForwardKernel: Kernel {
  let activation: Activation
  let groupSize: Int
  let activeGroups: Int
  let cutoff: GateCutoff?
  let upFormat: BlockFormat, downFormat: BlockFormat, gateFormat: BlockFormat

  static let entry = KernelEntry("feed_forward", widensNarrowFloats: true) { attributes throws(KernelError) in
    let activation = try Activation(attributes, orThrow: KernelError.invalid)
    let (size, active) = (
      attributes.int("group_size", default: 0), attributes.int("active_groups", default: 0)
    )
    guard size > 0 && active > 0 || size == 0 && active == 0 else {
      throw .invalid("'group_size' is \(size) and 'active_groups' \(active), accepted are both or neither")
    }
    func format(_ name: String) throws(KernelError) -> BlockFormat {
      try attributes.blockFormat(name, orThrow: KernelError.unsupported)
    }
    return FeedForwardKernel(
      activation: activation, groupSize: size, activeGroups: active,
      cutoff: GateCutoff(attributes), upFormat: try format("up_format"),
      downFormat: try format("down_format"), gateFormat: try format("gate_format"))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, inner) = try call.rows(0)
    let up = try call.weights(1, upFormat, columns: inner)
    let neurons = up.rows
    let down = try call.weights(2, downFormat, columns: neurons)
    let gate = call.has(3) ? try call.weights(3, gateFormat, columns: inner) : nil
    guard gate?.rows ?? neurons == neurons else {
      throw .invalid("the gate has \(gate!.rows) rows, accepted are those of 'up', \(neurons)")
    }
    if cutoff != nil, gate == nil { throw .invalid("'cutoff' is given without 'gate'") }
    let (upBias, gateBias) = (
      try call.optionalRow(4, count: neurons), try call.optionalRow(6, count: neurons)
    )
    let downBias = try call.optionalRow(5, count: down.rows)
    guard groupSize == 0 || neurons % groupSize == 0 && activeGroups <= neurons / groupSize else {
      throw .invalid("\(activeGroups) groups of \(groupSize) do not fit \(neurons) neurons")
    }
    var shape = x.shape
    shape[x.rank - 1] = down.rows
    let y = call.allocate(0, .f32, shape)
    let rows = shape.product(0..<x.rank - 1)
    let hidden = Self.scratch(rows * neurons, call.resources)
    let activations = Activations(
      x.pointer(), rows: rows, inner: inner, for: upFormat, or: gate?.format,
      resources: call.resources)
    let upward = WeightProduct(activations, up, bias: upBias, y: hidden)
    if let gate {
      let gating = WeightProduct(
        activations, gate, bias: gateBias, y: Self.scratch(rows * neurons, call.resources))
      if let cutoff {
        gating.run(call.resources)
        call.resources.pool.forEach(rows) { cutoff.apply(gating.y + $0 * neurons, neurons) }
      }
      upward.run(call.resources) { piece in
        if cutoff == nil { gating.compute(piece) }
        for row in piece.rows {
          let start = row * neurons + piece.columns.lowerBound
          let (gates, hidden) = (gating.y + start, hidden + start)
          activation.apply(gates, piece.columns.count)
          for index in 0..<piece.columns.count { hidden[index] *= gates[index] }
        }
      }
    } else {
      upward.run(call.resources) { piece in
        for row in piece.rows {
          activation.apply(hidden + (row * neurons + piece.columns.lowerBound), piece.columns.count)
        }
      }
    }
    if groupSize > 0 { keepActive(hidden, rows: rows, neurons: neurons, call.resources) }
    let active = Activations(hidden, rows: rows, inner: neurons, for: downFormat, resources: call.resources)
    WeightProduct(active, down, bias: downBias, y: y.pointer()).run(call.resources)
  }

  private static func scratch(_ count: Int, _ resources: Resources) -> UnsafeMutablePointer<Float> {
    resources.scratch(byteCount: count * 4).bindMemory(to: Float.self, capacity: count)
  }

  /// Zeroes the entries of groups whose sum is below that of the last active one.
  private func keepActive(
    _ hidden: UnsafeMutablePointer<Float>, rows: Int, neurons: Int, _ resources: Resources
  ) {
    let groups = neurons / groupSize
    let places = resources.pool.placeCount(rows)
    let scores = Self.scratch(places * groups, resources)
    let heaps = resources.scratch(byteCount: places * activeGroups * 8)
      .bindMemory(to: Int.self, capacity: places * activeGroups)
    resources.pool.forEachInPlace(rows) { row, place in
      let (h, scores, heap) = (
        hidden + row * neurons, scores + place * groups, heaps + place * activeGroups
      )
      for group in 0..<groups { scores[group] = RowFold.sum(h + group * groupSize, groupSize) }
      SelectionHeap.select(count: groups, k: activeGroups, into: heap) { scores[$0] > scores[$1] }
      let least = scores[heap[activeGroups - 1]]
      for group in 0..<groups where scores[group] < least {
        (h + group * groupSize).update(repeating: 0, count: groupSize)
      }
    }
  }
}
