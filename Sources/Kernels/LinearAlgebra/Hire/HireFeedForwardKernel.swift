import CKernels
import Tensors

/// A feed-forward block, f32, of the groups of neurons that matter, found by a predictor or by their gates
/// (HiRE, section 3).
///
///     h_j    = act(gate_j x + gate_bias_j) * (up_j x + up_bias_j), or act(up_j x + up_bias_j) without a gate
///     y      = sum of h_j down_j over neurons j of active groups + down_bias
///
/// Operands: x `[..., K]`, up `[F, K]`, down `[F, D]` in q8b32, a row per neuron, gate `[F, K]`, scan
/// (``ScanPanels`` of F rows), projection `[R, K]`, up_bias, down_bias, gate_bias.
///
/// 1. Every group has a first score: the sum of |act(s_j)|, where s is the gate (the up product without one) as
///    `scan` has it of z = projection x (of x itself without one); without a scan the gate is computed exactly.
/// 2. Candidates: the common groups, and of the others those with the largest scores, the first of equals.
///    Their h is computed exactly.
/// 3. Of the candidates those are active whose sum of |act| is largest, the first of equals.
/// 4. Rows of down whose h is not zero are added up in the order of neurons.
///
/// What a row of x chooses and gives depends on that row alone: rows of a block share what is read, not what is
/// chosen. Blocks have up to ``LinearProduct/blockRows`` rows.
struct HireFeedForwardKernel: Kernel {
  let settings: HireNeuronSettings
  let upFormat: BlockFormat, gateFormat: BlockFormat

  static let entry = KernelEntry("hire_feed_forward", widensNarrowFloats: true) {
    attributes throws(KernelError) in
    HireFeedForwardKernel(
      settings: try HireNeuronSettings(attributes, orThrow: KernelError.invalid),
      upFormat: try attributes.blockFormat("up_format", orThrow: KernelError.unsupported),
      gateFormat: try attributes.blockFormat("gate_format", orThrow: KernelError.unsupported))
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
        for: upFormat, or: block.gate?.weights.format, resources: call.resources)
      let choice = HireNeurons(settings, block, activations, call.resources)
      choice.addRows(into: y + first * settings.outputs, call.resources)
    }
  }

  /// The operands, whose forms are checked.
  private func weights(_ call: KernelCall, inner: Int) throws(KernelError) -> HireBlock {
    let up = try call.weights(1, upFormat, columns: inner)
    let neurons = up.rows
    let down = try call.weights(2, .q8b32, columns: settings.outputs)
    let gate = call.has(3) ? try call.weights(3, gateFormat, columns: inner) : nil
    guard down.rows == neurons, gate?.rows ?? neurons == neurons else {
      throw .invalid(
        "'down' has \(down.rows) rows\(gate.map { " and the gate \($0.rows)" } ?? ""), accepted are those of"
          + " 'up', \(neurons)")
    }
    let groups = try settings.groupCount(neurons, orThrow: KernelError.invalid)
    let projection = call.has(5) ? try call.matrix(5, columns: inner) : nil
    let rank = projection?.shape[0] ?? inner
    let scan = call.has(4) ? call.contiguous(4) : nil
    if let scan {
      let count = settings.panels?.count(rows: neurons) ?? 0
      guard let panels = settings.panels, panels.rank <= rank, scan.element == .u8, scan.rank == 2,
        scan.shape[0] == count, scan.shape[1] == panels.byteCount
      else {
        throw .invalid(
          "operand 4 is \(scan.element)\(scan.shape.array), accepted are panels of \(neurons) rows and at most"
            + " \(rank) coordinates as 'scan_rank' and 'scan_bits' tell")
      }
    } else if gate == nil {
      throw .invalid("there is no scan, and no gate to choose groups by")
    }
    let (upBias, gateBias) = (
      try call.optionalRow(6, count: neurons), try call.optionalRow(8, count: neurons)
    )
    return HireBlock(
      groups: groups, up: ListedRows(up, bias: upBias), down: down,
      downBias: try call.optionalRow(7, count: settings.outputs),
      gate: gate.map { ListedRows($0, bias: gateBias) }, scan: scan?.base, projection: projection)
  }
}

/// What a feed-forward block reads beside activations.
struct HireBlock {
  let groups: Int
  let up: ListedRows
  /// A row per neuron.
  let down: WeightMatrix
  let downBias: UnsafePointer<Float>?
  let gate: ListedRows?
  let scan: UnsafeRawPointer?
  let projection: TensorView?

  /// What decides which neurons matter.
  var first: ListedRows { gate ?? up }
}
