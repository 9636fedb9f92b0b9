public import GraphIR
import Operators

/// Rewrites composite operators as the primitives that define them.
///
///     %y, _, _, %s = skip_simplified_layer_normalization(%x, %r, %w)
///                                    ──►
///     %s = add(%x, %r)
///     %y = simplified_layer_normalization(%s, %w)
///
/// A composite is an operator without a kernel of its own.
public struct DecomposeComposites: Pass {
  public let name = "decompose-composites"
  public let summary = "Rewrites operators without a kernel as the primitives that define them."
  public let fidelity = Fidelity.rounding

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    for index in module.functions.indices {
      var builder = GraphBuilder(
        module.functions[index].graph, constants: module.constants, operators: context.operators,
        symbols: context.symbols)
      // A decomposition may hold composites itself: sweep until none is left that can be taken apart.
      var left: [Node] = []
      while try decompose(&builder, &left, &context) {}
      for node in left { context.miss(node, "there is no kernel and no decomposition for these operands") }
      module.functions[index].graph = builder.graph
      module.constants = builder.constants
    }
  }

  /// One sweep in execution order; operands are replaced as the sweep goes.
  ///
  /// - Parameter left: set to the nodes that cannot be taken apart.
  private func decompose(
    _ builder: inout GraphBuilder, _ left: inout [Node], _ context: inout PassContext
  ) throws -> Bool {
    left = []
    var replacement: [ValueID: ValueID] = [:]
    var names: [(value: ValueID, name: String)] = []
    var replaced: Set<NodeID> = []
    for id in builder.graph.order {
      for (position, operand) in builder.graph[id].operands.enumerated() {
        if let operand, let new = replacement[operand] { builder.graph[id].operands[position] = new }
      }
      let node = builder.graph[id]
      guard OperatorSet.isComposite(node), let definition = context.operators[node.operation] else {
        continue
      }
      builder.position = id
      builder.location = node.location
      guard let results = try definition.decompose(node, into: &builder) else {
        left.append(node)
        continue
      }
      for (old, new) in zip(node.results, results) {
        guard let old else { continue }
        guard let new else {
          throw OperatorError("the decomposition of '\(node.operation)' leaves out a result")
        }
        replacement[old] = new
        names.append((new, builder.graph[old].name))
      }
      replaced.insert(id)
      context.count("decomposed")
    }
    builder.position = nil
    for output in builder.graph.outputs.indices {
      if let new = replacement[builder.graph.outputs[output].value] {
        builder.graph.outputs[output].value = new
      }
    }
    builder.graph.remove(replaced)
    for (value, name) in names { builder.graph.rename(value, to: name) }
    return !replaced.isEmpty
  }
}
