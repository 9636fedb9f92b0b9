public import PlanFormat
import Tensors

/// What a plan consists of.
public struct PlanSummary: Sendable, Encodable {
  public struct Section: Sendable, Encodable {
    public let name: String
    public let offset: Int
    public let bytes: Int
    /// SHA-256 in hexadecimal.
    public let checksum: String
  }

  public struct State: Sendable, Encodable {
    public let name: String
    public let type: String
    /// The axis along which runs append.
    public let axis: Int
  }

  public struct Function: Sendable, Encodable {
    public let name: String
    public let inputs: [ModuleSummary.Value]
    public let outputs: [ModuleSummary.Value]
    public let states: [State]
    public let stepCount: Int
    /// Steps that a chunk of the prompt runs when nobody reads its outputs.
    public let stateStepCount: Int
    public let slotCount: Int
    /// Most frequent first; equal counts by name.
    public let kernels: [ModuleSummary.OperatorCount]
    /// Weight bytes that a run over one token reads.
    public let bytesPerToken: Int
  }

  /// What a token costs when text is generated: the function for one token, or the first.
  public var decoding: Function? { functions.first { $0.name == "decode" } ?? functions.first }

  public let path: String
  public let bytes: Int
  public let model: [String: String]
  public let provenance: [String: String]
  public let functions: [Function]
  /// Weights by format, most bytes first.
  public let weights: [ModuleSummary.ConstantGroup]
  public let sections: [Section]
  public let ledger: [Ledger]

  public struct Ledger: Sendable, Encodable {
    public let pass: String
    public let fidelity: String
    public let budget: String
    public let measured: String
  }

  public init(_ plan: PlanFile) {
    let program = plan.program
    path = plan.path
    bytes = plan.byteCount
    model = Dictionary(program.model.map { ($0.key, $0.value) }) { first, _ in first }
    provenance = Dictionary(program.provenance.map { ($0.key, $0.value) }) { first, _ in first }
    functions = program.functions.map { Function($0, program) }
    weights = ModuleSummary.ConstantGroup.groups(program)
    sections = plan.sections.map { section in
      Section(
        name: section.kind.description, offset: section.offset, bytes: section.byteCount,
        checksum: section.checksum.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }
    ledger = program.ledger.map {
      Ledger(pass: $0.pass, fidelity: $0.fidelity, budget: $0.budget, measured: $0.measured)
    }
  }
}

extension PlanSummary.Function {
  init(_ function: PlanFormat.Function, _ program: Program) {
    func value(_ port: PlanFormat.Function.Port) -> ModuleSummary.Value {
      ModuleSummary.Value(name: port.name, type: "\(function.type(of: port.value))")
    }
    let stateInputs = Set(function.states.map(\.input))
    let stateOutputs = Set(function.states.map(\.output))
    name = function.name
    inputs = function.inputs.filter { !stateInputs.contains($0.value) }.map(value)
    outputs = function.outputs.filter { !stateOutputs.contains($0.value) }.map(value)
    states = function.states.map { state in
      PlanSummary.State(
        name: function.values[state.input].name, type: "\(function.type(of: state.input))", axis: state.axis)
    }
    stepCount = function.steps.count
    stateStepCount = function.steps.filter(\.feedsState).count
    slotCount = function.slotCount
    kernels = Dictionary(grouping: function.steps, by: \.kernel)
      .map { ModuleSummary.OperatorCount(name: $0.key, count: $0.value.count) }
      .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    bytesPerToken = PlanTraffic(program, function).bytesPerToken
  }
}

// MARK: Text

extension PlanSummary {
  /// The summary for people.
  public var text: String {
    var text = "\(path): \(Quantity.bytes(bytes))\n"
    text += Self.entries("model", model) + Self.entries("provenance", provenance)
    for function in functions { text += "\n" + function.text }
    let weightBytes = weights.reduce(0) { $0 + $1.bytes }
    text += "\nweights: \(weights.reduce(0) { $0 + $1.count }), \(Quantity.bytes(weightBytes))\n"
    let groups = weights.map { group in
      [
        group.element, "\(group.count)", "\(Quantity.count(group.elements)) elements",
        Quantity.bytes(group.bytes),
      ]
    }
    text += TextTable(rows: groups, alignments: [.left, .right, .right, .right], indent: 2).text
    text += "sections\n"
    let rows = sections.map {
      [$0.name, "at \($0.offset)", Quantity.bytes($0.bytes), String($0.checksum.prefix(16))]
    }
    text += TextTable(rows: rows, alignments: [.left, .right, .right], indent: 2).text
    return text + ledgerText
  }

  private static func entries(_ title: String, _ entries: [String: String]) -> String {
    guard !entries.isEmpty else { return "" }
    let rows = entries.sorted { $0.key < $1.key }.map { [$0.key, TextTable.cut($0.value, to: 80)] }
    return "\(title)\n" + TextTable(rows: rows, indent: 2).text
  }

  private var ledgerText: String {
    guard !ledger.isEmpty else { return "ledger: every pass is exact\n" }
    return "ledger\n"
      + TextTable(rows: ledger.map { [$0.pass, $0.fidelity, $0.budget, $0.measured] }, indent: 2).text
  }
}

extension PlanSummary.Function {
  fileprivate var text: String {
    var text = "@\(name): \(stepCount) steps (\(stateStepCount) for caches alone), \(slotCount) slots, "
    text += "\(Quantity.bytes(bytesPerToken)) of weights per token\n"
    let states = states.map {
      ModuleSummary.Value(name: $0.name, type: "\($0.type) grows along axis \($0.axis)")
    }
    for (title, values) in [("inputs", inputs), ("outputs", outputs), ("caches", states)]
    where !values.isEmpty {
      text += "  \(title)\n"
      let rows = ModuleSummary.Function.merged(values).map { [$0.name, $0.type] }
      text += TextTable(rows: rows, indent: 4).text
    }
    let counts = kernels.map { "\($0.count) \($0.name)" }
    return text
      + (counts.isEmpty ? "" : "  kernels\n" + ModuleSummary.Function.wrapped(counts, indent: "    "))
  }
}
