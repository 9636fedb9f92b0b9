import GraphIR
import Tensors

/// What a function became, in a form that does not depend on how an exporter named or ordered things.
struct FusedForm {
  let graph: Graph

  init(_ graph: Graph) { self.graph = graph }

  /// The nodes that run: all but constant expressions.
  private var nodes: [Node] {
    let constants = ConstantExpressions(graph)
    return graph.order.map { graph[$0] }.filter { node in
      !node.results.allSatisfy { $0.map { constants.contains($0, in: graph) } ?? true }
    }
  }

  /// One line per node: the operator, and attributes that say what is computed.
  var lines: [String] { nodes.map(Self.line) }

  private static func line(_ node: Node) -> String {
    var words = [node.operation]
    // The only accepted value of `stash_type` is its default.
    for (name, value) in node.attributes.values.sorted(by: { $0.key < $1.key }) where name != "stash_type" {
      switch value {
      case .float(let number): words.append("\(name)=\(Self.rounded(number))")
      case .int(let number): words.append("\(name)=\(number)")
      case .string(let text): words.append("\(name)=\(text)")
      default: break
      }
    }
    if node.operation == "self_attention" {
      for (operand, name) in [(3, "query norm"), (4, "key norm"), (5, "rotary")]
      where operand < node.operands.count && node.operands[operand] != nil {
        words.append("with \(name)")
      }
    }
    return words.joined(separator: " ")
  }

  /// Four digits: exporters round factors differently.
  private static func rounded(_ number: Float) -> String {
    guard number != 0 else { return "0" }
    var exponent = 0
    var magnitude = Double(abs(number))
    while magnitude < 1000 { (magnitude, exponent) = (magnitude * 10, exponent - 1) }
    while magnitude >= 10000 { (magnitude, exponent) = (magnitude / 10, exponent + 1) }
    return "\(number < 0 ? "-" : "")\(Int(magnitude.rounded()))e\(exponent)"
  }

  /// Counts of operators, for one line per graph.
  var counts: String {
    var counts: [String: Int] = [:]
    for node in nodes { counts[node.operation, default: 0] += 1 }
    return counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
  }
}
