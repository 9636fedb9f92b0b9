import GraphIR
import Kernels
import Tensors

/// Tells the nodes of a graph that become steps from those whose results are known when the plan is written.
///
///     %t = transpose(@w)                     @w.T: a weight
///     %y = matmul(%x, %t)         ──►        %y = matmul(%x, @w.T)
///
/// A result that depends on constants alone becomes a weight where something else reads it, unless it is much
/// larger than what it is made of - a mask for the longest context, say: then the node stays a step, and its
/// operands may become weights.
struct ConstantSteps {
  /// The nodes that become steps, in execution order.
  private(set) var order: [NodeID] = []
  /// Values that are constants or computed from constants.
  private(set) var expressions: [ValueID: WeightExpressions.Reference] = [:]

  /// Growth that turning packed numbers into f32 may bring, and bytes that do not matter.
  private static let (largestGrowth, freeByteCount) = (8, 1 << 20)

  init(_ graph: Graph, _ table: inout WeightExpressions) {
    for value in graph.outputs.map(\.value) + graph.order.flatMap({ graph[$0].operands.compactMap { $0 } }) {
      if let name = graph.constantName(of: value) { expressions[value] = table.constant(name) }
    }
    var known: Set<NodeID> = []
    for id in graph.order where note(graph[id], graph, &table) { known.insert(id) }
    var read = Set(graph.outputs.map(\.value))
    for id in graph.order.reversed() {
      let node = graph[id]
      if known.contains(id) {
        let needed = node.results.compactMap { $0 }.filter(read.contains)
        guard needed.contains(where: { !isWorthStoring(graph[$0].type, expressions[$0]!, table) }) else {
          continue
        }
        for case let result? in node.results { expressions[result] = nil }
      }
      order.append(id)
      read.formUnion(node.operands.compactMap { $0 })
    }
    order.reverse()
  }

  /// Makes expressions of a node's results when they depend on constants alone.
  private mutating func note(_ node: Node, _ graph: Graph, _ table: inout WeightExpressions) -> Bool {
    let operands = node.operands.map { operand in operand.flatMap { expressions[$0] } }
    let results = node.results.compactMap { $0 }
    guard zip(node.operands, operands).allSatisfy({ $0 == nil || $1 != nil }),
      results.allSatisfy({ graph[$0].type.constantShape != nil }),
      KernelTable.entries[node.operation].map({ !$0.writesOperands }) ?? false
    else { return false }
    for (result, expression) in zip(node.results, table.application(node, operands)) {
      if let result { expressions[result] = expression }
    }
    return true
  }

  private func isWorthStoring(
    _ type: TensorType, _ expression: WeightExpressions.Reference, _ table: WeightExpressions
  ) -> Bool {
    let count = type.constantShape?.reduce(type.element.byteCount) { product, extent in
      let (next, overflows) = product.multipliedReportingOverflow(by: extent)
      return overflows ? Int.max : next
    }
    let limit = max(Self.freeByteCount, Self.largestGrowth * table.sourceByteCount(of: expression))
    return count.map { $0 <= limit } ?? false
  }
}
