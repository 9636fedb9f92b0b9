import GraphIR
import Kernels
import Operators
import Tensors

/// A feed-forward block whose neurons are to be chosen from: its numbers, and how it is stored.
struct NeuronBlock {
  let activation: Activation
  /// What is done to gates before the activation.
  let cutoff: GateCutoff?
  /// f32 [F, K].
  var up: Tensor
  var gate: Tensor?
  /// f32 [D, F].
  var down: Tensor
  /// f32 [F], of the gate, or of up without one.
  var bias: Tensor?
  let upFormat: BlockFormat, gateFormat: BlockFormat, downFormat: BlockFormat
  /// Neurons of a group, and active groups; 0 where the model was not trained with groups.
  let groupSize: Int, activeGroups: Int

  init(_ node: Node, _ weights: WeightNumbers) throws(Miss) {
    let attributes = node.attributes
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    func matrix(_ index: Int) throws(Miss) -> (Tensor, BlockFormat)? {
      try operand(index).map { value throws(Miss) in try weights.matrix(value) }
    }
    guard let up = try matrix(1), let down = try matrix(2) else { throw Miss("the block has no weights") }
    let gate = try matrix(3)
    cutoff = GateCutoff(attributes)
    activation = try Activation(attributes, orThrow: { Miss($0) })
    (self.up, upFormat) = up
    (self.down, downFormat) = down
    (self.gate, gateFormat) = (gate?.0, gate?.1 ?? .f32)
    bias = try operand(gate == nil ? 4 : 6).map { value throws(Miss) in try weights.tensor(value) }
    groupSize = attributes.int("group_size", default: 0)
    activeGroups = attributes.int("active_groups", default: 0)
  }

  /// Whether neurons are exactly 0 often.
  var hasZeros: Bool { cutoff != nil || activation.isZeroBelowZero }

  var neurons: Int { up.shape[0] }
  var width: Int { up.shape[1] }
  var outputs: Int { down.shape[0] }
  /// What decides which neurons matter, f32 [F, K].
  var first: Tensor { gate ?? up }
  var firstFormat: BlockFormat { gate == nil ? upFormat : gateFormat }

  /// Bytes of the rows that a candidate is computed from.
  var rowBytes: Int { upFormat.rowBytes(width) + (gate == nil ? 0 : gateFormat.rowBytes(width)) }

  /// Exact activations, f32 [rows, F]: of gates, or of products with up without one.
  ///
  /// - Parameter x: f32 [N, K].
  func activations(_ x: Tensor, _ rows: Range<Int>, _ pool: ThreadPool) -> Tensor {
    let result = Tensor(.f32, [rows.count, neurons])
    let values = result.base.assumingMemoryBound(to: Float.self)
    LinearProduct(
      rows: rows.count, inner: width, columns: neurons,
      x: x.base.assumingMemoryBound(to: Float.self) + rows.lowerBound * width,
      w: first.base.assumingMemoryBound(to: Float.self), y: values
    ).run(pool)
    activate(values, rows: rows.count)
    return withExtendedLifetime((x, first)) { result }
  }

  /// act(z + bias) in place, cut off where the block does that.
  func activate(_ z: UnsafeMutablePointer<Float>, rows: Int) {
    if let bias = bias?.array(of: Float.self) {
      for index in 0..<rows * neurons { z[index] += bias[index % neurons] }
    }
    if let cutoff { for row in 0..<rows { cutoff.apply(z + row * neurons, neurons) } }
    activation.apply(z, rows * neurons)
  }

  /// How columns of down are stored, with the numbers of its rows: those of nested planes are those of q8b32, and f32
  /// has those of bf16.
  var columns: BlockColumns {
    BlockColumns(downFormat, rows: outputs)
      ?? BlockColumns(downFormat.quantizesActivations ? .q8b32 : .f32, rows: outputs)!
  }

  /// What a token reads of the dense block.
  var dense: WeightTraffic {
    WeightTraffic(
      inOrder: neurons * upFormat.rowBytes(width) + (gate == nil ? 0 : neurons * gateFormat.rowBytes(width))
        + outputs * downFormat.rowBytes(neurons))
  }

  /// Bytes that a token reads of down for so many neurons in groups of neighbours: with their columns the parameters of
  /// panels, each of which may hold one group.
  func downBytes(_ count: Int, groupSize: Int = 1) -> Int {
    let panels = columns.count(columns: neurons)
    return count * columns.columnBytes
      + columns.parameterBytes(columns: neurons) / panels * min(panels, count / groupSize)
  }

  /// Bytes that rows read of down on average: the columns of neurons that they need, and the parameters of panels that
  /// hold any of these.
  ///
  /// - Parameter activity: of single neurons.
  func downBytes(_ activity: NeuronActivity, _ grouping: NeuronGrouping) -> Int {
    let panelOfNeuron = NeuronGrouping(
      grouping.kind, grouping.order, unitSize: 1, size: BlockFormat.blockSize
    ).groupOfUnit
    let panels = activity.rows.reduce(0) { $0 + Set($1.map { panelOfNeuron[Int($0)] }).count }
    let parameters = columns.parameterBytes(columns: BlockFormat.blockSize)
    return Int(activity.mean * Double(columns.columnBytes))
      + panels * parameters / max(1, activity.rows.count)
  }

  /// What a token reads where exact gates, or exact products with up, choose: all rows of what chooses, rows of up for
  /// candidates, columns of down for active neurons.
  func exact(candidates: Int, active: Int) -> WeightTraffic {
    WeightTraffic(
      inOrder: neurons * firstFormat.rowBytes(width),
      picked: gate == nil ? 0 : candidates * upFormat.rowBytes(width), columns: downBytes(active))
  }

  /// Columns of down by neuron.
  func downColumns(_ pool: ThreadPool) -> Tensor {
    let (columns, neurons) = (columns, neurons)
    let panels = Tensor(.u8, [columns.count(columns: neurons), columns.panelBytes])
    nonisolated(unsafe) let (numbers, bytes) = (
      UnsafePointer(down.base.assumingMemoryBound(to: Float.self)), panels.base
    )
    pool.forEach(columns.chunkCount) { chunk in
      columns.encode(chunk: chunk, of: numbers, columns: neurons, into: bytes)
    }
    return withExtendedLifetime(down) { panels }
  }

  /// What |h| of a neuron is worth, and what |act| is, f32 [F]: the length of its column of down, and with a gate that
  /// times the root of the mean square of its product with up, over states held out.
  func importance(_ states: HiddenStates, _ pool: ThreadPool) -> (gate: Tensor, neuron: Tensor) {
    let numbers = down.array(of: Float.self)
    var columns = [Float](repeating: 0, count: neurons)
    for output in 0..<outputs {
      for neuron in 0..<neurons {
        columns[neuron] += numbers[output * neurons + neuron] * numbers[output * neurons + neuron]
      }
    }
    columns = columns.map { $0.squareRoot() }
    if gate == nil { return (Tensor(f32: columns, [neurons]), Tensor(f32: columns, [neurons])) }
    let judged = states.heldOut(Self.importanceCount)
    let products = NeuronPredictor.product(judged, up, isTransposed: false, pool).array(of: Float.self)
    var squares = [Float](repeating: 0, count: neurons)
    for row in 0..<judged.shape[0] {
      for neuron in 0..<neurons {
        squares[neuron] += products[row * neurons + neuron] * products[row * neurons + neuron]
      }
    }
    let gates = zip(columns, squares).map { $0 * ($1 / Float(max(1, judged.shape[0]))).squareRoot() }
    return (Tensor(f32: gates, [neurons]), Tensor(f32: columns, [neurons]))
  }

  /// States over which products are averaged.
  private static let importanceCount = 256
}
