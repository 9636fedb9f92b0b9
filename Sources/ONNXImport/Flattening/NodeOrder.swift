import ONNXFormat

/// Puts nodes in an order in which every value is defined before it is used; files may hold them in any.
///
/// Depth first from each node in file order, so nodes that are in order already stay as they are.
struct NodeOrder {
  private let nodes: [FlatNode]
  private var producers: [String: Int] = [:]

  /// - Throws: ``ImportError`` when two nodes define the same name.
  init(_ nodes: [FlatNode]) throws(ImportError) {
    self.nodes = nodes
    for (index, node) in nodes.enumerated() {
      for name in node.node.outputs where !name.isEmpty {
        if let earlier = producers.updateValue(index, forKey: name) {
          throw .invalid(
            "defines '\(name)', which \(nodes[earlier].node.place) defines too; names must be unique",
            at: node.node.place)
        }
      }
    }
  }

  var definedNames: Dictionary<String, Int>.Keys { producers.keys }

  /// - Throws: ``ImportError`` naming the nodes of a cycle.
  func sorted() throws(ImportError) -> [FlatNode] {
    enum State { case new, open, done }
    var states = [State](repeating: .new, count: nodes.count)
    var order: [FlatNode] = []
    order.reserveCapacity(nodes.count)
    for root in nodes.indices where states[root] == .new {
      var stack = [(node: root, pending: dependencies(of: root))]
      states[root] = .open
      while let top = stack.last {
        guard let next = top.pending.last else {
          states[top.node] = .done
          order.append(nodes[top.node])
          stack.removeLast()
          continue
        }
        stack[stack.count - 1].pending.removeLast()
        switch states[next] {
        case .done: continue
        case .new:
          states[next] = .open
          stack.append((next, dependencies(of: next)))
        case .open:
          let start = stack.firstIndex { $0.node == next } ?? 0
          let cycle = stack[start...].map { "'\(nodes[$0.node].node.location)'" }
          throw .invalid(
            "nodes \(cycle.reversed().prefix(20).joined(separator: " -> ")) form a cycle; accepted are graphs without one"
          )
        }
      }
    }
    return order
  }

  /// Nodes that must come first, the first of them last.
  private func dependencies(of index: Int) -> [Int] {
    Self.readNames(of: nodes[index].node).reversed().compactMap { producers[$0] }
  }

  /// Operands, and what bodies of control flow read from outside.
  private static func readNames(of node: ONNXNode) -> [String] {
    var names = node.inputs
    for attribute in node.attributes {
      switch attribute.value {
      case .graph(let graph): names += freeNames(of: graph)
      case .graphs(let graphs): names += graphs.flatMap(freeNames)
      default: continue
      }
    }
    return names
  }

  private static func freeNames(of graph: ONNXGraph) -> [String] {
    let defined = Set(
      graph.nodes.flatMap(\.outputs) + graph.inputs.map(\.name) + graph.initializers.map(\.name))
    return (graph.nodes.flatMap(readNames) + graph.outputs.map(\.name)).filter { !defined.contains($0) }
  }
}
