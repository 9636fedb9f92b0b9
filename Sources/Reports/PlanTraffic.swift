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
  func bytes(of step: Function.Step) -> Int {
    var sum = 0
    for (position, operand) in step.operands.enumerated() where operand >= 0 {
      guard case .weight(let index) = function.values[Int(operand)].place else { continue }
      let weight = program.weights[index]
      let isTable = Self.lookups[step.kernel]?.contains(position) ?? false
      sum += isTable ? weight.byteCount / max(1, weight.shape.first ?? 1) : weight.byteCount
    }
    return sum
  }
}
