public import Tensors

/// A module as text, with the tensors that are too large for it.
public struct ModuleText: Sendable {
  public let text: String
  /// What `blob(i)` stands for.
  public let blobs: [Tensor]
}

extension Module {
  /// The module in the text form; equal modules print equal.
  ///
  ///     const @w: f32[640, 1024] = blob(0)
  ///
  ///     func @main(%x: f32[S, 640]) -> (y: f32[S, 1024]) {
  ///       %mul = matmul(%x, @w) : f32[S, 1024] loc("/proj/MatMul")
  ///       return y = %mul
  ///     }
  public var text: String { printed().text }

  /// The text form and the tensors that it refers to by index.
  public func printed() -> ModuleText {
    var printer = ModulePrinter()
    printer.print(self)
    return ModuleText(text: printer.text, blobs: printer.blobs)
  }
}

extension Graph {
  /// The line of a node in the text form. It may be printed even if the graph is broken.
  public func text(of node: NodeID) -> String {
    var printer = ModulePrinter()
    return printer.line(self[node], in: self)
  }
}

/// Writes the text form; ``SyntaxParser`` has its grammar.
struct ModulePrinter {
  private(set) var text = ""
  private(set) var blobs: [Tensor] = []

  /// Tensors with more elements are blobs.
  static let maximumLiteralCount = 64
  /// Signatures that would be longer have one item per line.
  static let maximumColumns = 110

  mutating func print(_ module: Module) {
    if !module.metadata.isEmpty {
      let entries = module.metadata.sorted { $0.key < $1.key }
      text += "module {\n"
      for (key, value) in entries { text += "  \(Spelling.word(key)) = \(Spelling.quoted(value))\n" }
      text += "}\n"
    }
    if !module.constants.isEmpty, !text.isEmpty { text += "\n" }
    for (name, tensor) in module.constants.sorted(by: { $0.key < $1.key }) {
      text += "const @\(Spelling.name(name)): \(tensor.type) = \(elements(tensor))\n"
    }
    for function in module.functions {
      if !text.isEmpty { text += "\n" }
      print(function)
    }
  }

  private mutating func print(_ function: Module.Function) {
    let graph = function.graph
    let inputs = graph.inputs.map { "%\(Spelling.name(graph[$0].name)): \(graph[$0].type)" }
    let outputs = graph.outputs.map { "\(Spelling.word($0.name)): \(graph[$0.value].type)" }
    let head = "func @\(Spelling.name(function.name))"
    let bounds = function.bounds.sorted { $0.key < $1.key }.map { "\(Spelling.word($0.key)) = \($0.value)" }
    let end = (bounds.isEmpty ? "" : "bounds {\(bounds.joined(separator: ", "))} ") + "{\n"
    let line = "\(head)(\(inputs.joined(separator: ", "))) -> (\(outputs.joined(separator: ", "))) \(end)"
    if line.count <= Self.maximumColumns {
      text += line
    } else {
      text += "\(head)(\(Self.lines(inputs))) -> (\(Self.lines(outputs))) \(end)"
    }
    for node in graph.order { text += "  \(self.line(graph[node], in: graph))\n" }
    let returned = graph.outputs.map { output in
      let operand = Self.operand(output.value, in: graph)
      let name = graph.constantName(of: output.value) ?? graph[output.value].name
      return output.name == name ? operand : "\(Spelling.word(output.name)) = \(operand)"
    }
    let items = returned.joined(separator: ", ")
    text +=
      items.count + 9 <= Self.maximumColumns
      ? "  return\(items.isEmpty ? "" : " ")\(items)\n}\n"
      : "  return\(Self.lines(returned, indent: 4).dropLast())\n}\n"
  }

  /// Items on lines of their own.
  private static func lines(_ items: [String], indent: Int = 2) -> String {
    if items.isEmpty { return "" }
    let start = "\n" + String(repeating: " ", count: indent)
    return start + items.joined(separator: ",\(start)") + "\n"
  }

  // MARK: Nodes

  mutating func line(_ node: Node, in graph: Graph) -> String {
    let results = node.results.map { $0.map { Self.value($0, in: graph) } ?? "_" }
    let types = node.results.map { $0.map { graph.contains($0) ? graph[$0].type.description : "?" } ?? "_" }
    let operands = node.operands.map { $0.map { Self.operand($0, in: graph) } ?? "_" }
    var line = results.isEmpty ? "" : results.joined(separator: ", ") + " = "
    line += "\(Spelling.word(node.operation))(\(operands.joined(separator: ", ")))"
    if !node.attributes.isEmpty {
      var entries: [String] = []
      for (name, value) in node.attributes.values.sorted(by: { $0.key < $1.key }) {
        entries.append("\(Spelling.word(name)) = \(attribute(value))")
      }
      line += " {\(entries.joined(separator: ", "))}"
    }
    if !types.isEmpty { line += " : \(types.joined(separator: ", "))" }
    if !node.location.isEmpty { line += " loc(\(Spelling.quoted(node.location)))" }
    return line
  }

  private static func operand(_ value: ValueID, in graph: Graph) -> String {
    if graph.contains(value), let constant = graph.constantName(of: value) {
      return "@\(Spelling.name(constant))"
    }
    return self.value(value, in: graph)
  }

  private static func value(_ value: ValueID, in graph: Graph) -> String {
    graph.contains(value) ? "%\(Spelling.name(graph[value].name))" : "%?\(value.index)"
  }

  private mutating func attribute(_ value: AttributeValue) -> String {
    switch value {
    case .int(let value): "\(value)"
    case .float(let value): ElementText.text(value)
    case .string(let value): Spelling.quoted(value)
    case .ints(let values): "[\(values.map(String.init).joined(separator: ", "))]"
    case .floats(let values):
      values.isEmpty ? "floats[]" : "[\(values.map { ElementText.text($0) }.joined(separator: ", "))]"
    case .strings(let values):
      values.isEmpty ? "strings[]" : "[\(values.map(Spelling.quoted).joined(separator: ", "))]"
    case .element(let element): element.rawValue
    case .tensor(let tensor): "\(tensor.type) \(elements(tensor))"
    }
  }

  private mutating func elements(_ tensor: Tensor) -> String {
    if tensor.elementCount > Self.maximumLiteralCount {
      blobs.append(tensor)
      return "blob(\(blobs.count - 1))"
    }
    let items = (0..<tensor.elementCount).map { ElementText.text(tensor, $0) }
    return tensor.rank == 0 ? items[0] : "[\(items.joined(separator: ", "))]"
  }
}
