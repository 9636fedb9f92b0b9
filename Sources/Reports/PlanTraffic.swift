import Kernels
import PlanFormat
import Tensors

/// Bytes of weights that one run of a function reads, sizes left open.
struct PlanTraffic {
  /// Operands of which kernels read a row per token, not all.
  private static let lookups: [String: Set<Int>] = [
    "gather": [0], "embedding": [1, 3], "gather_block_quantized": [0, 2, 3],
    "rotary_embedding": [1, 2], "self_attention": [5, 6],
  ]

  private let program: Program
  private let function: Function

  init(_ program: Program, _ function: Function) {
    self.program = program
    self.function = function
  }

  /// What a run over one token reads. A weight that several steps share counts once per step.
  var bytesPerToken: Int { function.steps.reduce(0) { $0 + bytes(of: $1) } }

  /// Weight bytes that a step reads in a run over one token.
  ///
  /// - Parameter occupancy: neurons that blocks compute where a choice of them is made at run time.
  func bytes(of step: Function.Step, _ occupancy: HireNeuronSettings.Occupancy = .expected) -> Int {
    let neurons = step.kernel == "hire_feed_forward" ? NeuronTraffic(step, function, occupancy) : nil
    var sum = 0
    for (position, operand) in step.operands.enumerated() where operand >= 0 {
      guard case .weight(let index) = function.values[Int(operand)].place else { continue }
      let weight = program.weights[index]
      if let neurons, position == 2 {
        sum += neurons.columnBytes(of: weight.byteCount)
        continue
      }
      guard let count = neurons?.rows(position) ?? pickedRows(of: step, position) else {
        sum += weight.byteCount
        continue
      }
      let rows = max(1, weight.shape.first ?? 1)
      sum += weight.byteCount / rows * min(count, rows)
    }
    return sum
  }

  /// Rows of an operand that a kernel picks for a token; nil when it reads all.
  private func pickedRows(of step: Function.Step, _ position: Int) -> Int? {
    if Self.lookups[step.kernel]?.contains(position) ?? false { return 1 }
    // Rows that bounds leave: how many is not known.
    if step.kernel == "certify_rows", position == 2 { return 0 }
    guard step.kernel == "hire_lm_head", let shardRows = step.attributes.int("shard_rows"), shardRows > 0,
      let candidates = step.attributes.int("candidates"),
      let rows = function.type(of: Int(step.operands[1])).shape.first?.constant
    else { return nil }
    let shards = (rows + shardRows - 1) / shardRows
    switch position {
    case 1, 4: return shards * candidates
    case 5: return shards * step.attributes.int("survivors", default: candidates)
    default: return nil
    }
  }
}

/// Rows and columns that a feed-forward block of chosen neurons reads for a token.
private struct NeuronTraffic {
  private let settings: HireNeuronSettings
  private let counts: HireNeuronSettings.Counts

  /// Nil for a step that no kernel would take.
  init?(_ step: Function.Step, _ function: Function, _ occupancy: HireNeuronSettings.Occupancy) {
    struct Invalid: Error {}
    guard let settings = try? HireNeuronSettings(step.attributes, orThrow: { _ in Invalid() }),
      let neurons = function.type(of: Int(step.operands[1])).shape.first?.constant
    else { return nil }
    self.settings = settings
    counts = settings.counts(
      neurons, isScanned: function.has(4, step), isGated: function.has(3, step),
      isBounded: function.has(11, step), occupancy)
  }

  /// Rows of up, operand 1, and of gate, operand 3.
  func rows(_ position: Int) -> Int? {
    switch position {
    case 1: counts.up
    case 3: counts.gate
    default: nil
    }
  }

  /// Columns of active neurons, with the parameters of the panels that may hold them.
  func columnBytes(of all: Int) -> Int {
    let (columns, panels) = (settings.columns, all / settings.columns.panelBytes)
    return min(counts.active, panels * BlockFormat.blockSize) * columns.columnBytes
      + min(panels, counts.active / settings.groupSize)
      * columns.parameterBytes(columns: BlockFormat.blockSize)
  }
}
