/// The values of a function whose whole cone is constants: constants themselves, and results of nodes that
/// read only such.
///
/// They have the same elements in every run, so a plan can hold them ready, however large they are.
public struct ConstantExpressions: Sendable {
  private var values: Set<ValueID> = []

  public init(_ graph: Graph) {
    for id in graph.order { add(id, of: graph) }
  }

  public func contains(_ value: ValueID, in graph: Graph) -> Bool {
    graph.constantName(of: value) != nil || values.contains(value)
  }

  /// Takes up a node whose operands were taken up before.
  mutating func add(_ id: NodeID, of graph: Graph) {
    let node = graph[id]
    guard node.operands.allSatisfy({ $0.map { contains($0, in: graph) } ?? true }) else { return }
    for case let result? in node.results { values.insert(result) }
  }
}
