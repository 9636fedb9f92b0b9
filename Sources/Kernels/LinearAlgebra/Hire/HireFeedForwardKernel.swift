import CKernels
import Tensors

/// A feed-forward block, f32, of the groups of neurons that matter, found by a predictor or by their gates
/// (HiRE, section 3).
///
///     h_j    = act(gate_j x + gate_bias_j) * (up_j x + up_bias_j), or act(up_j x + up_bias_j) without a gate
///     y      = sum of h_j down_j over neurons j of active groups + down_bias
///
/// Operands: x `[..., K]`, up `[F, K]`, down, the columns of `[D, F]` (``BlockColumns``), gate `[F, K]`, scan
/// (``ScanPanels``: a row per neuron, or per group, behind the common path), projection `[R, K]`, up_bias, down_bias,
/// gate_bias, gate_importance `[F]`, importance `[F]`, bound_weight `[F, bytes]` (copies of what decides in a smaller
/// format), bound_error `[F]`, bound_slack `[2]`.
///
/// 1. Every group behind the common path has a first score: the sum of |act(s_j)|, times `gate_importance`, where s is
///    the gate (the up product without one) as `scan` has it of z = projection x (of x itself without one); without a
///    scan s is exact, with a row per group in it the score is the mean of s_j, with its sign. With bounds, behind
///    ReLU, only those s are computed whose upper bound is not below 0 (``BoundedNeurons``).
/// 2. Candidates: the common groups, and of the others those with the largest scores, the first of equals; of exact s
///    without those that are 0, since nothing comes of them. Their h is computed exactly.
/// 3. Of the candidates those are active whose sum of |act|, or of `importance` |h|, is largest, the first of equals;
///    all of them, where `active_groups` is not given.
/// 4. Columns of down whose h is not zero are added up in the order of neurons: with all groups as candidates, ReLU
///    leaves out columns that the dense sum multiplies by 0, and sums of finite columns have the same bits.
///
/// What a row of x chooses and gives depends on that row alone: rows of a block share what is read, not what is
/// chosen. Blocks have up to ``LinearProduct/blockRows`` rows.
struct HireFeedForwardKernel: Kernel {
  let settings: HireNeuronSettings
  let upFormat: BlockFormat, gateFormat: BlockFormat
  /// That of the rows that upper bounds are read from; nil without bounds.
  let boundFormat: BlockFormat?

  static let entry = KernelEntry("hire_feed_forward", widensNarrowFloats: true) {
    attributes throws(KernelError) in
    HireFeedForwardKernel(
      settings: try HireNeuronSettings(attributes, orThrow: KernelError.invalid),
      upFormat: try attributes.blockFormat("up_format", orThrow: KernelError.unsupported),
      gateFormat: try attributes.blockFormat("gate_format", orThrow: KernelError.unsupported),
      boundFormat: attributes["bound_format"] == nil
        ? nil : try attributes.blockFormat("bound_format", orThrow: KernelError.unsupported))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, inner) = try call.rows(0)
    let block = try weights(call, inner: inner)
    var shape = x.shape
    shape[x.rank - 1] = settings.outputs
    let y: UnsafeMutablePointer<Float> = call.allocate(0, .f32, shape).pointer()
    let rows = shape.product(0..<x.rank - 1)
    for first in stride(from: 0, to: rows, by: LinearProduct.blockRows) {
      let activations = Activations(
        x.pointer() + first * inner, rows: min(LinearProduct.blockRows, rows - first), inner: inner,
        for: boundFormat ?? upFormat, or: block.gate?.weights.format ?? upFormat, resources: call.resources)
      let choice = HireNeurons(settings, block, activations, call.resources)
      choice.addColumns(into: y + first * settings.outputs, call.resources)
      call.resources.tally?.count(choice, settings, block, activations, call.resources)
    }
  }

  /// The operands, whose forms are checked.
  private func weights(_ call: KernelCall, inner: Int) throws(KernelError) -> HireBlock {
    let up = try call.weights(1, upFormat, columns: inner)
    let neurons = up.rows
    let down = try call.panels(2, settings.columns, columns: neurons)
    let gate = call.has(3) ? try call.weights(3, gateFormat, columns: inner) : nil
    guard gate?.rows ?? neurons == neurons else {
      throw .invalid("the gate has \(gate!.rows) rows, accepted are those of 'up', \(neurons)")
    }
    if settings.cutoff != nil, gate == nil || call.has(4) {
      throw .invalid(
        "'cutoff' is given \(gate == nil ? "without 'gate'" : "with 'scan', which does not see all gates")")
    }
    let groups = try settings.groupCount(neurons, orThrow: KernelError.invalid)
    let projection = call.has(5) ? try call.matrix(5, columns: inner) : nil
    let rank = projection?.shape[0] ?? inner
    let scan = call.has(4) ? call.contiguous(4) : nil
    if let scan {
      let rows = settings.scanRows(neurons)
      let count = settings.panels?.count(rows: rows) ?? 0
      guard let panels = settings.panels, panels.rank <= rank, scan.element == .u8, scan.rank == 2,
        scan.shape[0] == count, scan.shape[1] == panels.byteCount
      else {
        throw .invalid(
          "operand 4 is \(scan.element)\(scan.shape.array), accepted are panels of \(rows) rows and at most"
            + " \(rank) coordinates as 'scan_rank' and 'scan_bits' tell")
      }
    }
    let (upBias, gateBias) = (
      try call.optionalRow(6, count: neurons), try call.optionalRow(8, count: neurons)
    )
    let (upRows, gateRows) = (ListedRows(up, bias: upBias), gate.map { ListedRows($0, bias: gateBias) })
    return HireBlock(
      groups: groups, up: upRows, down: down, downBias: try call.optionalRow(7, count: settings.outputs),
      gate: gateRows, scan: scan?.base, projection: projection, bound: try bound(call, gateRows ?? upRows),
      gateImportance: try call.optionalRow(9, count: neurons),
      importance: try call.optionalRow(10, count: neurons))
  }

  /// Bounds of what decides.
  private func bound(_ call: KernelCall, _ first: ListedRows) throws(KernelError) -> RowBound? {
    guard let boundFormat else {
      guard !call.has(11) else { throw .invalid("operand 11 is given without 'bound_format'") }
      return nil
    }
    try settings.checkBounds(boundFormat, neurons: first.weights.rows, orThrow: KernelError.invalid)
    let copies = try call.weights(11, boundFormat, columns: first.weights.columns)
    guard copies.rows == first.weights.rows else {
      throw .invalid("operand 11 has \(copies.rows) rows, accepted are \(first.weights.rows)")
    }
    return RowBound(
      copies: copies, errors: try call.row(12, count: copies.rows), slack: try call.row(13, count: 2),
      metric: nil, bias: first.bias, softcap: 0,
      isExactForQuantized: first.weights.format.quantizesActivations)
  }
}

/// What a feed-forward block reads beside activations.
struct HireBlock {
  let groups: Int
  let up: ListedRows
  /// A column per neuron.
  let down: UnsafeRawPointer
  let downBias: UnsafePointer<Float>?
  let gate: ListedRows?
  let scan: UnsafeRawPointer?
  let projection: TensorView?
  /// Of what decides.
  let bound: RowBound?
  /// Factors of first scores, and of exact ones.
  let gateImportance: UnsafePointer<Float>?, importance: UnsafePointer<Float>?

  /// What decides which neurons matter.
  var first: ListedRows { gate ?? up }
}
