public import GraphIR
import Tensors

extension Module {
  /// The module as a Graphviz graph: nodes in clusters by layer, edges labelled with types, weights as notes.
  ///
  ///     tandem inspect model.onnx --as dot | dot -Tsvg -o model.svg
  public var dot: String {
    var dot =
      "digraph tandem {\n  rankdir = TB;\n  node [shape = box, fontname = Helvetica, fontsize = 10];\n"
    dot += "  edge [fontname = Helvetica, fontsize = 8];\n"
    for (index, function) in functions.enumerated() {
      var drawing = DotFunction(function, prefix: "f\(index)")
      dot += drawing.text
    }
    return dot + "}\n"
  }
}

/// Draws one function as a cluster.
private struct DotFunction {
  let function: Module.Function
  let graph: Graph
  /// Begins the names of all nodes of the drawing.
  let prefix: String
  private var edges = ""

  /// Constants with fewer elements are left out.
  private static let minimumWeightCount = 65

  init(_ function: Module.Function, prefix: String) {
    self.function = function
    self.prefix = prefix
    graph = function.graph
  }

  var text: String {
    mutating get {
      var text = "  subgraph cluster_\(prefix) {\n    label = \(Self.quoted("@\(function.name)"));\n"
      for id in graph.inputs {
        text += "    \(name(id)) [shape = ellipse, label = \(Self.label(graph[id]))];\n"
      }
      text += nodes()
      for (index, output) in graph.outputs.enumerated() {
        text += "    \(prefix)_out\(index) [shape = ellipse, label = \(Self.quoted(output.name))];\n"
        edges += edge(from: output.value, to: "\(prefix)_out\(index)")
      }
      return text + weights() + edges + "  }\n"
    }
  }

  /// Nodes in the order of the graph; runs of one layer are a cluster.
  private mutating func nodes() -> String {
    var text = ""
    var layers: [String] = []
    var members: [String: [String]] = [:]
    for id in graph.order {
      let node = graph[id]
      let tooltip = node.location.isEmpty ? "" : ", tooltip = \(Self.quoted(node.location))"
      let line = "\(prefix)_n\(id.index) [label = \(Self.quoted(node.operation))\(tooltip)];\n"
      for case let operand? in node.operands { edges += edge(from: operand, to: "\(prefix)_n\(id.index)") }
      if let layer = Self.layer(of: node.location) {
        if members[layer] == nil { layers.append(layer) }
        members[layer, default: []].append(line)
      } else {
        text += "    \(line)"
      }
    }
    for (index, layer) in layers.enumerated() {
      text += "    subgraph cluster_\(prefix)_\(index) {\n      label = \(Self.quoted(layer));\n"
      text += members[layer]!.map { "      \($0)" }.joined() + "    }\n"
    }
    return text
  }

  private func weights() -> String {
    var text = ""
    for id in Set(graph.order.flatMap { graph[$0].operands.compactMap { $0 } }).sorted() where isWeight(id) {
      text += "    \(name(id)) [shape = note, color = gray, label = \(Self.label(graph[id]))];\n"
    }
    return text
  }

  private func isWeight(_ id: ValueID) -> Bool {
    guard graph.constantName(of: id) != nil else { return false }
    return graph[id].type.elementCount.constant.map { $0 >= Self.minimumWeightCount } ?? false
  }

  /// The drawing's name of what defines a value.
  private func name(_ value: ValueID) -> String {
    graph.producer(of: value).map { "\(prefix)_n\($0.index)" } ?? "\(prefix)_v\(value.index)"
  }

  private func edge(from value: ValueID, to target: String) -> String {
    if graph.constantName(of: value) != nil {
      return isWeight(value) ? "    \(name(value)) -> \(target) [color = gray];\n" : ""
    }
    return "    \(name(value)) -> \(target) [label = \(Self.quoted(graph[value].type.description))];\n"
  }

  /// The first part of a path that is a word with a number, joined or followed by it: `layers.3`, `h/0`.
  private static func layer(of location: String) -> String? {
    location.firstMatch(of: /(?:^|[.\/])([A-Za-z_]+[.\/][0-9]+)(?=[.\/]|$)/).map { String($0.1) }
  }

  private static func label(_ value: Value) -> String { quoted("\(value.name)\n\(value.type)") }

  private static func quoted(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing(
      "\n", with: "\\n")
    return "\"\(escaped)\""
  }
}
