public import GraphIR
import Operators
import Tensors

/// Evaluates nodes whose operands are all constants, and integer values whose content is known.
///
///     %s = shape(%w)                        // w: f32[640, 2048]
///     %d = gather(%s, 1)             ──►    @c = 2048
///
/// Results above the limit are left to run time: folding must not make a plan larger than the model.
public struct FoldConstants: Pass {
  public let name = "fold-constants"
  public let summary = "Evaluates nodes that depend on constants only."
  public let fidelity = Fidelity.exact
  /// Largest result that is folded, in bytes.
  public let limit: Int

  public init(limit: Int = 1 << 20) { self.limit = limit }

  public func run(on module: inout Module, context: inout PassContext) throws {
    for index in module.functions.indices {
      var builder = GraphBuilder(
        module.functions[index].graph, constants: module.constants, operators: context.operators,
        symbols: context.symbols)
      try fold(&builder, &context)
      module.functions[index].graph = builder.graph
      module.constants = builder.constants
    }
  }

  private func fold(_ builder: inout GraphBuilder, _ context: inout PassContext) throws {
    let interpreter = Interpreter(Module(), operators: context.operators)
    var folded: Set<NodeID> = []
    var replacement: [ValueID: ValueID] = [:]
    for id in builder.graph.order {
      for (position, operand) in builder.graph[id].operands.enumerated() {
        if let operand, let new = replacement[operand] { builder.graph[id].operands[position] = new }
      }
      let node = builder.graph[id]
      guard let tensors = try results(of: node, builder, interpreter) else { continue }
      for (result, tensor) in zip(node.results, tensors) {
        guard let result, let tensor else { continue }
        replacement[result] = builder.constant(tensor, name: name(for: tensor, builder.graph[result].name))
      }
      folded.insert(id)
    }
    for output in builder.graph.outputs.indices {
      if let new = replacement[builder.graph.outputs[output].value] {
        builder.graph.outputs[output].value = new
      }
    }
    builder.graph.remove(folded)
    context.count("folded", by: folded.count)
  }

  /// Small integers are named by content, so that equal ones are shared; others keep the value's name.
  private func name(for tensor: Tensor, _ value: String) -> String? {
    Graph.trackedContent(of: tensor) == nil ? value : nil
  }

  private func results(
    of node: Node, _ builder: GraphBuilder, _ interpreter: Interpreter
  ) throws -> [Tensor?]? {
    if let known = knownContent(of: node, builder.graph) { return known }
    var operands: [Tensor?] = []
    for operand in node.operands {
      guard let operand else {
        operands.append(nil)
        continue
      }
      guard let name = builder.graph.constantName(of: operand), let tensor = builder.constants[name] else {
        return nil
      }
      operands.append(tensor)
    }
    var byteCount = 0
    for case let result? in node.results {
      guard let shape = builder.graph[result].type.constantShape else { return nil }
      var size = builder.graph[result].type.element.byteCount
      for extent in shape {
        let (product, overflows) = size.multipliedReportingOverflow(by: extent)
        guard !overflows else { return nil }
        size = product
      }
      guard size <= limit - byteCount else { return nil }
      byteCount += size
    }
    do throws(Interpreter.Failure) {
      return try interpreter.evaluate(node, operands)
    } catch {
      // What cannot be evaluated ahead is reported, with its sizes, when it runs.
      if error.isUnsupported { return nil }
      throw error
    }
  }

  /// The results of shape arithmetic whose content is known to be plain integers.
  private func knownContent(of node: Node, _ graph: Graph) -> [Tensor?]? {
    var tensors: [Tensor?] = []
    for result in node.results {
      guard let result else {
        tensors.append(nil)
        continue
      }
      let value = graph[result]
      guard let integers = value.content?.map(\.constant), let shape = value.type.constantShape,
        !integers.contains(nil)
      else { return nil }
      let numbers = integers.compactMap { $0 }
      switch value.type.element {
      case .i64: tensors.append(Tensor(i64: numbers, shape))
      case .i32: tensors.append(Tensor(i32: numbers.map { Int32(truncatingIfNeeded: $0) }, shape))
      case .bool: tensors.append(Tensor(bool: numbers.map { $0 != 0 }, shape))
      default: return nil
      }
    }
    return tensors
  }
}
