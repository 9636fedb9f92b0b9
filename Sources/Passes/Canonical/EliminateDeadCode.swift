public import GraphIR

/// Removes nodes whose results nobody reads, and constants that no function uses.
public struct EliminateDeadCode: Pass {
  public let name = "eliminate-dead-code"
  public let summary = "Removes nodes and constants that no output depends on."
  public let fidelity = Fidelity.exact

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    for index in module.functions.indices {
      let graph = module.functions[index].graph
      var live = Set(graph.outputs.map(\.value))
      var dead: Set<NodeID> = []
      for id in graph.order.reversed() {
        let node = graph[id]
        if node.results.contains(where: { $0.map(live.contains) ?? false }) {
          live.formUnion(node.operands.compactMap { $0 })
        } else {
          dead.insert(id)
        }
      }
      module.functions[index].graph.remove(dead)
      context.count("nodes", by: dead.count)
    }
    let before = module.constants.count
    module.removeUnusedConstants()
    context.count("constants", by: before - module.constants.count)
  }
}
