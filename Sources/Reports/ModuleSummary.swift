public import GraphIR
import Tensors

/// What a module consists of.
public struct ModuleSummary: Sendable, Encodable {
  public struct Value: Sendable, Encodable {
    public let name: String
    /// As in the text form.
    public let type: String
  }

  public struct OperatorCount: Sendable, Encodable {
    public let name: String
    public let count: Int
  }

  public struct Function: Sendable, Encodable {
    public let name: String
    public let inputs: [Value]
    public let outputs: [Value]
    public let nodeCount: Int
    /// Most frequent first; equal counts by name.
    public let operators: [OperatorCount]
  }

  /// Constants of one element type or, in plans, of one format of blocks.
  public struct ConstantGroup: Sendable, Encodable {
    public let element: String
    public let count: Int
    public let elements: Int
    public let bytes: Int
  }

  public let metadata: [String: String]
  public let functions: [Function]
  /// Most bytes first.
  public let constants: [ConstantGroup]

  public init(_ module: Module) {
    metadata = module.metadata
    functions = module.functions.map(Function.init)
    constants = Dictionary(grouping: module.constants.values, by: \.element).map { element, tensors in
      ConstantGroup(
        element: element.rawValue, count: tensors.count, elements: tensors.reduce(0) { $0 + $1.elementCount },
        bytes: tensors.reduce(0) { $0 + $1.byteCount })
    }.sorted { ($1.bytes, $0.element) < ($0.bytes, $1.element) }
  }
}

extension ModuleSummary.Function {
  init(_ function: Module.Function) {
    let graph = function.graph
    name = function.name
    inputs = graph.inputs.map { ModuleSummary.Value(name: graph[$0].name, type: graph[$0].type.description) }
    outputs = graph.outputs.map { ModuleSummary.Value(name: $0.name, type: graph[$0.value].type.description) }
    nodeCount = graph.order.count
    operators = Dictionary(grouping: graph.order, by: { graph[$0].operation })
      .map { ModuleSummary.OperatorCount(name: $0.key, count: $0.value.count) }
      .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
  }
}

extension ModuleSummary {
  /// The summary for people.
  public var text: String {
    var text = ""
    if !metadata.isEmpty {
      let rows = metadata.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
      text += TextTable(rows: rows).text + "\n"
    }
    for function in functions { text += function.text + "\n" }
    let bytes = constants.reduce(0) { $0 + $1.bytes }
    text += "constants: \(constants.reduce(0) { $0 + $1.count }), \(Quantity.bytes(bytes))\n"
    let rows = constants.map { group in
      [
        group.element, "\(group.count)", Quantity.count(group.elements) + " elements",
        Quantity.bytes(group.bytes),
      ]
    }
    return text + TextTable(rows: rows, alignments: [.left, .right, .right, .right], indent: 2).text
  }
}

extension ModuleSummary.Function {
  fileprivate var text: String {
    var text = "@\(name): \(nodeCount) nodes\n"
    for (title, values) in [("inputs", inputs), ("outputs", outputs)] where !values.isEmpty {
      text += "  \(title)\n"
      text += TextTable(rows: Self.merged(values).map { [$0.name, $0.type] }, indent: 4).text
    }
    if operators.isEmpty { return text }
    let counts = operators.map { "\($0.count) \($0.name)" }
    return text + "  operators\n" + Self.wrapped(counts, indent: "    ")
  }

  /// Values whose names count on in their first number are one row: `past.0...17.key`.
  static func merged(_ values: [ModuleSummary.Value]) -> [ModuleSummary.Value] {
    struct Family: Hashable {
      let prefix: Substring
      let suffix: Substring
      let type: String
    }
    var rows: [(family: Family, first: Substring, last: Substring)] = []
    var places: [Family: Int] = [:]
    for value in values {
      let digits = value.name.firstMatch(of: /[0-9]+/)
      let number = digits?.output ?? ""
      let family = Family(
        prefix: digits.map { value.name[..<$0.range.lowerBound] } ?? value.name[...],
        suffix: digits.map { value.name[$0.range.upperBound...] } ?? "", type: value.type)
      if let place = places[family], let last = Int(rows[place].last), Int(number) == last + 1 {
        rows[place].last = number
      } else {
        places[family] = rows.count
        rows.append((family, number, number))
      }
    }
    return rows.map { family, first, last in
      let number = first == last ? String(first) : "\(first)...\(last)"
      return ModuleSummary.Value(name: family.prefix + number + family.suffix, type: family.type)
    }
  }

  /// Words on lines of at most ``TextTable/maximumColumns``.
  static func wrapped(_ words: [String], indent: String) -> String {
    var lines: [String] = []
    for word in words {
      if let line = lines.last, indent.count + line.count + 2 + word.count < TextTable.maximumColumns {
        lines[lines.count - 1] += ", " + word
      } else {
        lines.append(word)
      }
    }
    return lines.map { "\(indent)\($0)\n" }.joined()
  }
}
