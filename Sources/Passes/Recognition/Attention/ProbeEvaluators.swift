import GraphIR
import Tensors

/// Evaluators of one decoder at several sizes, with masks of ones and positions that follow the past.
final class ProbeEvaluators {
  private let graph: Graph
  private let constants: [String: Tensor]
  private let operators: OperatorTable
  private let signature: DecoderSignature
  private var cache: [Probe: ConeEvaluator] = [:]

  init(_ graph: Graph, constants: [String: Tensor], _ operators: OperatorTable, _ signature: DecoderSignature)
  {
    self.graph = graph
    self.constants = constants
    self.operators = operators
    self.signature = signature
  }

  subscript(probe: Probe) -> ConeEvaluator {
    if let evaluator = cache[probe] { return evaluator }
    var evaluator = ConeEvaluator(
      graph, constants: constants, operators: operators, sizes: signature.sizes(probe, in: graph))
    if let mask = signature.mask {
      set(mask, [Int](repeating: 1, count: probe.batch * (probe.past + probe.rows)), probe, &evaluator)
    }
    if let positions = signature.positions {
      let row = Array(probe.past..<probe.past + probe.rows)
      evaluator.set(
        positions,
        integers(
          Array(repeating: row, count: probe.batch).flatMap { $0 }, positions, [probe.batch, probe.rows]))
    }
    cache[probe] = evaluator
    return evaluator
  }

  /// An evaluator with another attention mask.
  func masked(_ probe: Probe, _ input: ValueID, _ mask: [Int]) -> ConeEvaluator {
    var evaluator = self[probe]
    set(input, mask, probe, &evaluator)
    return evaluator
  }

  /// An evaluator with other position ids for its one sequence.
  func moved(_ probe: Probe, to positions: [Int]) -> ConeEvaluator {
    var evaluator = self[probe]
    if let input = signature.positions {
      evaluator.set(input, integers(positions, input, [probe.batch, probe.rows]))
    }
    return evaluator
  }

  private func set(_ mask: ValueID, _ values: [Int], _ probe: Probe, _ evaluator: inout ConeEvaluator) {
    evaluator.set(mask, integers(values, mask, [probe.batch, probe.past + probe.rows]))
  }

  private func integers(_ values: [Int], _ input: ValueID, _ shape: [Int]) -> Tensor {
    switch graph[input].type.element {
    case .i32: Tensor(i32: values.map { Int32($0) }, shape)
    case .bool: Tensor(bool: values.map { $0 != 0 }, shape)
    case .f32: Tensor(f32: values.map { Float($0) }, shape)
    default: Tensor(i64: values, shape)
    }
  }

  /// The value of a constant of one whole number.
  func integer(_ value: ValueID) -> Int? {
    guard let tensor = constant(value), tensor.elementCount == 1, !tensor.element.isFloatingPoint else {
      return nil
    }
    return tensor.integers[0]
  }

  /// The value of a constant of one number.
  func scalar(_ value: ValueID) -> Float? {
    guard let tensor = constant(value), tensor.elementCount == 1 else { return nil }
    return Float(tensor.double(at: 0))
  }

  private func constant(_ value: ValueID) -> Tensor? {
    graph.constantName(of: value).flatMap { constants[$0] }
  }
}
