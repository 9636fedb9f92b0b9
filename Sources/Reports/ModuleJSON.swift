import Foundation
public import GraphIR
public import PlanFormat
import Tensors

extension Module {
  /// The module for programs: functions, nodes, constants, and the ledger of the passes that made it.
  ///
  /// `bytes_per_token` is what one run of the first function moves when every symbol is 1; it is absent when
  /// an operator is not known.
  public func json(operators: OperatorTable, ledger: [LedgerEntry] = []) throws -> String {
    try JSONText.encode(ModuleJSON(self, operators: operators, ledger: ledger))
  }
}

/// How all JSON of the command line is written: keys in snake case, sorted.
public enum JSONText {
  /// - Returns: one object over several lines, with a line end.
  public static func encode(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }
}

private struct ModuleJSON: Encodable {
  struct Node: Encodable {
    var function: String
    var name: String
    var `operator`: String
    /// Paths of the exporter's nodes that it stands for.
    var sources: [String]
    /// nil for an absent operand; constants begin with `@`.
    var operands: [String?]
    var results: [String?]
    var types: [String?]
    var attributes: [String: AttributeJSON]
  }

  struct Constant: Encodable {
    var name: String
    var type: String
    var bytes: Int
  }

  struct Entry: Encodable {
    var pass: String
    var fidelity: String
    var budget: String
    var measured: String
  }

  var metadata: [String: String]
  var functions: [ModuleSummary.Function]
  var nodes: [Node]
  var constants: [Constant]
  var ledger: [Entry]
  var bytesPerToken: Int?

  init(_ module: Module, operators: OperatorTable, ledger: [LedgerEntry]) {
    metadata = module.metadata
    functions = ModuleSummary(module).functions
    nodes = module.functions.flatMap { function in
      function.graph.order.map { Node(function.graph[$0], in: function) }
    }
    constants = module.constants.sorted { $0.key < $1.key }.map { name, tensor in
      Constant(name: name, type: tensor.type.description, bytes: tensor.byteCount)
    }
    self.ledger = ledger.map {
      Entry(pass: $0.pass, fidelity: $0.fidelity, budget: $0.budget, measured: $0.measured)
    }
    bytesPerToken = module.functions.first.flatMap { $0.graph.bytesWithUnitSymbols(operators: operators) }
  }
}

extension Graph {
  /// Bytes that one run moves when every symbol is 1; nil when an operator is not known.
  fileprivate func bytesWithUnitSymbols(operators: OperatorTable) -> Int? {
    var sum = 0
    for id in order {
      guard let bytes = work(of: self[id], operators: operators)?.bytes else { return nil }
      let binding = Dictionary(bytes.symbols.map { ($0, 1) }) { first, _ in first }
      guard let count = bytes.evaluated(binding) else { return nil }
      sum += count
    }
    return sum
  }
}

extension ModuleJSON.Node {
  init(_ node: GraphIR.Node, in function: Module.Function) {
    let graph = function.graph
    func name(_ value: ValueID) -> String {
      graph.constantName(of: value).map { "@\($0)" } ?? graph[value].name
    }
    self.function = function.name
    self.operator = node.operation
    results = node.results.map { $0.map { graph[$0].name } }
    self.name = results.lazy.compactMap { $0 }.first ?? ""
    sources = node.location.isEmpty ? [] : [node.location]
    operands = node.operands.map { $0.map(name) }
    types = node.results.map { $0.map { graph[$0].type.description } }
    attributes = node.attributes.values.mapValues(AttributeJSON.init)
  }
}

/// Numbers, strings and lists as such, element types and tensor types as in the text form. Numbers that JSON
/// cannot write are strings.
private struct AttributeJSON: Encodable {
  let value: AttributeValue

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch value {
    case .int(let value): try container.encode(value)
    case .float(let value): try container.encode(FloatJSON(value: value))
    case .string(let value): try container.encode(value)
    case .ints(let values): try container.encode(values)
    case .floats(let values): try container.encode(values.map(FloatJSON.init))
    case .strings(let values): try container.encode(values)
    case .element(let element): try container.encode(element.rawValue)
    case .tensor(let tensor): try container.encode(tensor.type.description)
    }
  }
}

private struct FloatJSON: Encodable {
  let value: Float

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if value.isFinite { try container.encode(value) } else { try container.encode("\(value)") }
  }
}
