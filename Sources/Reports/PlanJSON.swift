import PlanFormat
import Tensors

/// A plan for programs: its summary, and a node per step.
struct PlanJSON: Encodable {
  struct Node: Encodable {
    var function: String
    var name: String
    var `operator`: String
    /// Paths of the exporter's nodes that it stands for.
    var sources: [String]
    /// nil for an absent operand; weights begin with `@`.
    var operands: [String?]
    var results: [String?]
    var types: [String?]
    var feedsState: Bool
    /// Weight bytes that a run over one token reads.
    var bytesPerToken: Int
  }

  private let summary: PlanSummary
  private let nodes: [Node]
  private let bytesPerToken: Int

  init(_ plan: PlanFile) {
    summary = PlanSummary(plan)
    nodes = plan.program.functions.flatMap { function in
      let traffic = PlanTraffic(plan.program, function)
      return function.steps.map { Node($0, function, plan.program, traffic.bytes(of: $0)) }
    }
    bytesPerToken = summary.decoding?.bytesPerToken ?? 0
  }

  private enum Key: CodingKey {
    case nodes, bytesPerToken
  }

  func encode(to encoder: any Encoder) throws {
    try summary.encode(to: encoder)
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(nodes, forKey: .nodes)
    try container.encode(bytesPerToken, forKey: .bytesPerToken)
  }
}

extension PlanJSON.Node {
  fileprivate init(_ step: Function.Step, _ function: Function, _ program: Program, _ bytes: Int) {
    func name(_ value: Int32) -> String? {
      guard value >= 0 else { return nil }
      let value = function.values[Int(value)]
      if case .weight(let index) = value.place { return "@\(program.weights[index].name)" }
      return value.name
    }
    self.function = function.name
    results = step.results.map(name)
    self.name = results.lazy.compactMap { $0 }.first ?? ""
    self.operator = step.kernel
    sources = step.location.isEmpty ? [] : [step.location]
    operands = step.operands.map(name)
    types = step.results.map { $0 < 0 ? nil : "\(function.type(of: Int($0)))" }
    feedsState = step.feedsState
    bytesPerToken = bytes
  }
}
