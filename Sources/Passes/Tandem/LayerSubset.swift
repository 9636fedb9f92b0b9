public import GraphIR
import Operators
import Tensors

/// Copies of a decoder's function without some branches of its residual stream.
///
///     %x1, %y1 = residual_normalization(%x0, %a, @n1)          %x1, %y1 = residual_normalization(%x0, %a, @n1)
///     %b = ... %y1                                     ──►
///     %x2, %y2 = residual_normalization(%x1, %b, @n2)          %y2 = rms_normalization(%x1, @n2)
///
/// A branch is an attention or a feed-forward block. The copy shares all constants, and has the caches of the attention
/// that is left.
///
/// - Source: Draft & Verify (papers.md, 4.5).
public struct LayerSubset {
  /// A branch that can be left out.
  public struct Branch: Sendable {
    let node: NodeID
    /// Where the exporter says that it ends.
    public let location: String
    /// Bytes of the constants that only it reads.
    public let byteCount: Int
  }

  private let function: Module.Function
  private let constants: [String: Tensor]
  private let operators: OperatorTable
  private let symbols: SymbolSource
  /// In the order in which they run.
  public private(set) var branches: [Branch] = []

  /// - Throws: when fewer than two branches are found.
  public init(_ function: Module.Function, in module: Module) throws(Miss) {
    (self.function, constants, operators) = (function, module.constants, OperatorSet.standard)
    symbols = SymbolSource(unusedIn: module)
    let graph = function.graph
    let sums = graph.order.filter { id in
      graph[id].operation == "residual_normalization" && graph[id].results.count > 1
        && graph[id].results[1] != nil
    }
    let whole = Self.byteCount(graph, constants)
    for id in sums {
      var branch = Branch(node: id, location: graph[id].location, byteCount: 0)
      guard let rest = try? copy(without: [branch]) else { continue }
      branch = Branch(
        node: id, location: graph[id].location, byteCount: whole - Self.byteCount(rest, constants))
      if branch.byteCount > 0 { branches.append(branch) }
    }
    guard branches.count > 1 else {
      throw Miss("\(branches.count) branches of the residual stream can be left out, need 2")
    }
  }

  private static func byteCount(_ graph: Graph, _ constants: [String: Tensor]) -> Int {
    let names = Set(
      graph.order.flatMap { graph[$0].operands }.compactMap { $0.flatMap { graph.constantName(of: $0) } })
    return names.reduce(0) { $0 + (constants[$1]?.byteCount ?? 0) }
  }

  /// The function without some branches.
  public func function(named name: String, without places: Set<Int>) throws -> Module.Function {
    Module.Function(name, try copy(without: places.map { branches[$0] }), bounds: function.bounds)
  }

  private func copy(without skipped: [Branch]) throws -> Graph {
    let presents = Set(
      function.graph.order.flatMap { OperatorSet.cacheUpdates(of: function.graph[$0]).compactMap(\.present) })
    var builder = GraphBuilder(function.graph, constants: constants, operators: operators, symbols: symbols)
    let caches = function.graph.outputs.filter { presents.contains($0.value) }
    builder.graph.outputs.removeAll { presents.contains($0.value) }
    for branch in skipped {
      let node = builder.graph[branch.node]
      func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
      guard let residual = operand(0), let scale = operand(2) else { continue }
      builder.position = branch.node
      builder.location = node.location
      let epsilon: [String: AttributeValue] = [
        "epsilon": .float(node.attributes.float("epsilon", default: 1e-5))
      ]
      var normalized: ValueID
      if node.attributes.bool("centered", default: false) {
        normalized = try builder("layer_normalization", residual, scale, operand(3), attributes: epsilon)
      } else {
        normalized = try builder("rms_normalization", residual, scale, attributes: epsilon)
        if let bias = operand(3) { normalized = try builder("add", normalized, bias) }
      }
      builder.graph.replaceUses(of: node.results[0]!, with: residual)
      builder.graph.replaceUses(of: node.results[1]!, with: normalized)
    }
    var graph = builder.graph
    graph.removeDeadNodes()
    for (name, value) in caches where graph.producer(of: value) != nil {
      graph.outputs.append((name, value))
    }
    for input in graph.inputs where graph.users(of: input).isEmpty { graph.removeInput(input) }
    graph.removeUnusedConstants()
    return graph
  }
}
