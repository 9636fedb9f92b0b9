public import GraphIR
import Tensors

/// Merges nodes that compute the same from the same operands.
///
///     %c0 = cos(%a)                 %c0 = cos(%a)
///     %c1 = cos(%a)          ──►
///     %y = mul(%x, %c1)             %y = mul(%x, %c0)
///
/// Every operator is a function of its operands and attributes, so equal nodes have equal results.
public struct EliminateCommonSubexpressions: Pass {
  public let name = "eliminate-common-subexpressions"
  public let summary = "Merges nodes that compute the same from the same operands."
  public let fidelity = Fidelity.exact

  public init() {}

  private struct Key: Hashable {
    let operation: String
    let operands: [ValueID?]
    let results: [Bool]
    let attributes: [String]
  }

  public func run(on module: inout Module, context: inout PassContext) throws {
    for index in module.functions.indices { merge(in: &module.functions[index].graph, &context) }
  }

  /// One sweep in execution order: operands are replaced as the sweep goes, so chains merge as a whole.
  private func merge(in graph: inout Graph, _ context: inout PassContext) {
    var seen: [Key: NodeID] = [:]
    var replacement: [ValueID: ValueID] = [:]
    var merged: Set<NodeID> = []
    for id in graph.order {
      for (position, operand) in graph[id].operands.enumerated() {
        if let operand, let new = replacement[operand] { graph[id].operands[position] = new }
      }
      let node = graph[id]
      guard let attributes = spelled(node.attributes) else { continue }
      let key = Key(
        operation: node.operation, operands: node.operands, results: node.results.map { $0 != nil },
        attributes: attributes)
      guard let first = seen[key] else {
        seen[key] = id
        continue
      }
      for case let (old?, new?) in zip(node.results, graph[first].results) { replacement[old] = new }
      merged.insert(id)
    }
    for output in graph.outputs.indices {
      if let new = replacement[graph.outputs[output].value] { graph.outputs[output].value = new }
    }
    graph.remove(merged)
    context.count("merged", by: merged.count)
  }

  /// Attributes in an order, as text; nil when one is a tensor too large to compare cheaply.
  private func spelled(_ attributes: Attributes) -> [String]? {
    var texts: [String] = []
    for (name, value) in attributes.values.sorted(by: { $0.key < $1.key }) {
      if case .tensor(let tensor) = value {
        guard tensor.elementCount <= ValueFact.maximumContentCount else { return nil }
        texts.append("\(name)=\(tensor.type)\(Array(tensor.bytes))")
      } else {
        texts.append("\(name)=\(value)")
      }
    }
    return texts
  }
}
