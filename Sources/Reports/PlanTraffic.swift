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

  /// Neurons that a feed-forward block computes for a token.
  struct Neurons {
    var candidates: Int, active: Int
  }

  /// Weight bytes that a step reads in a run over one token.
  ///
  /// - Parameter counted: what a block of chosen neurons was seen to compute; nil counts the most it may.
  func bytes(of step: Function.Step, _ counted: Neurons? = nil) -> Int {
    var sum = 0
    for (position, operand) in step.operands.enumerated() where operand >= 0 {
      guard case .weight(let index) = function.values[Int(operand)].place else { continue }
      let weight = program.weights[index]
      if step.kernel == "hire_feed_forward", position == 2 {
        sum += Self.columnBytes(of: step, weight.byteCount, active: counted?.active)
        continue
      }
      guard let count = pickedRows(of: step, position, counted?.candidates) else {
        sum += weight.byteCount
        continue
      }
      let rows = max(1, weight.shape.first ?? 1)
      sum += weight.byteCount / rows * min(count, rows)
    }
    return sum
  }

  /// Rows of an operand that a kernel picks for a token; nil when it reads all.
  private func pickedRows(of step: Function.Step, _ position: Int, _ candidates: Int?) -> Int? {
    if Self.lookups[step.kernel]?.contains(position) ?? false { return 1 }
    if step.kernel == "hire_feed_forward" { return pickedNeurons(of: step, position, candidates) }
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

  /// Rows of up and gate that a block of chosen neurons reads: of candidates, all of what chooses exactly.
  private func pickedNeurons(of step: Function.Step, _ position: Int, _ counted: Int?) -> Int? {
    let candidates =
      counted ?? step.attributes.int("candidate_groups", default: 1)
      * step.attributes.int("group_size", default: 1)
    func has(_ operand: Int) -> Bool { step.operands.count > operand && step.operands[operand] >= 0 }
    switch position {
    case 1: return has(3) || has(4) ? candidates : nil
    case 3: return has(4) ? candidates : nil
    default: return nil
    }
  }

  /// Bytes of the columns of active neurons, by default at most, and of the parameters of their panels, at most.
  private static func columnBytes(of step: Function.Step, _ all: Int, active: Int?) -> Int {
    let outputs = step.attributes.int("outputs", default: 1)
    guard let format = BlockFormat(rawValue: step.attributes.string("down_format", default: "")),
      let columns = BlockColumns(format, rows: outputs)
    else { return all }
    let groups = step.attributes.int(
      "active_groups", default: step.attributes.int("candidate_groups", default: 1))
    let (size, panels) = (step.attributes.int("group_size", default: 1), all / columns.panelBytes)
    return (active ?? min(groups * size, panels * BlockFormat.blockSize)) * columns.columnBytes
      + min(groups, panels) * columns.parameterBytes(columns: BlockFormat.blockSize)
  }
}
