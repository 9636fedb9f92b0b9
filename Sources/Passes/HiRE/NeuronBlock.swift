import GraphIR
import Kernels
import Operators
import Tensors

/// A feed-forward block whose neurons are to be chosen from: its numbers, and how it is stored.
struct NeuronBlock {
  let activation: Activation
  /// f32 [F, K].
  let up: Tensor
  let gate: Tensor?
  /// f32 [D, F].
  let down: Tensor
  /// f32 [F], of the gate, or of up without one.
  let bias: Tensor?
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
    activation = try Activation(attributes, orThrow: { Miss($0) })
    (self.up, upFormat) = up
    (self.down, downFormat) = down
    (self.gate, gateFormat) = (gate?.0, gate?.1 ?? .f32)
    bias = try operand(gate == nil ? 4 : 6).map { value throws(Miss) in try weights.tensor(value) }
    groupSize = attributes.int("group_size", default: 0)
    activeGroups = attributes.int("active_groups", default: 0)
  }

  var neurons: Int { up.shape[0] }
  var width: Int { up.shape[1] }
  var outputs: Int { down.shape[0] }
  /// What decides which neurons matter, f32 [F, K].
  var first: Tensor { gate ?? up }

  /// Bytes that a token reads of the dense block; rows of down take 8 bits a weight at most, which is no merit of choosing.
  var denseBytes: Int {
    neurons * upFormat.rowBytes(width) + (gate == nil ? 0 : neurons * gateFormat.rowBytes(width))
      + outputs * min(downFormat.rowBytes(neurons), BlockFormat.q8b32.rowBytes(neurons))
  }

  /// Rows of down by neuron, in q8b32.
  func downRows(_ pool: ThreadPool) -> Tensor {
    let (neurons, outputs, format) = (neurons, outputs, BlockFormat.q8b32)
    let rows = Tensor(.u8, [neurons, format.rowBytes(outputs)])
    let (source, target) = (UnsafePointer(down.base.assumingMemoryBound(to: Float.self)), rows.base)
    nonisolated(unsafe) let (numbers, bytes) = (source, target)
    pool.forEach(neurons) { neuron in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: outputs) { row in
        for index in 0..<outputs { row[index] = numbers[index * neurons + neuron] }
        format.encode(row.baseAddress!, columns: outputs, into: bytes, row: neuron, of: neurons)
      }
    }
    return withExtendedLifetime(down) { rows }
  }
}
