import GraphIR
import Tensors

/// Copies a function with some of its sizes replaced, inferring all types anew.
struct PhaseBuilder {
  let source: Graph
  let replacement: [String: Dim]
  /// Where to cut the head down to the last position; nil computes all.
  let head: LastPositionHead?
  private var builder: GraphBuilder
  private var copies: [ValueID: ValueID] = [:]

  init(
    _ source: Graph, _ replacement: [String: Dim], head: LastPositionHead?, constants: [String: Tensor],
    _ context: PassContext
  ) {
    self.source = source
    self.replacement = replacement
    self.head = head
    builder = GraphBuilder(
      Graph(), constants: constants, operators: context.operators, symbols: context.symbols)
  }

  consuming func build() throws -> (graph: Graph, constants: [String: Tensor]) {
    for id in source.inputs {
      let type = source[id].type
      let shape = type.shape.map { $0.substituting(replacement) }
      copies[id] = builder.graph.addInput(source[id].name, TensorType(type.element, shape))
    }
    for id in source.order { try copy(id) }
    builder.graph.outputs = source.outputs.map { ($0.name, copy(of: $0.value)) }
    return (builder.graph, builder.constants)
  }

  private mutating func copy(of id: ValueID) -> ValueID {
    if let copy = copies[id] { return copy }
    guard let name = source.constantName(of: id) else {
      preconditionFailure("a value is read before it is defined")
    }
    let value = source[id]
    let copy = builder.graph.addConstant(name, value.type, content: value.content, valueName: value.name)
    copies[id] = copy
    return copy
  }

  private mutating func copy(_ id: NodeID) throws {
    let node = source[id]
    var (operands, attributes) = (node.operands, node.attributes)
    for (index, operand) in operands.enumerated() { operands[index] = operand.map { copy(of: $0) } }
    builder.location = node.location
    switch head {
    case .lmHead(id): attributes["last_only"] = .int(1)
    case .product(id): operands[0] = try lastPosition(of: operands[0]!)
    default: break
    }
    let names = node.results.map { result in result.map { source[$0].name } }
    let results = try builder.add(node.operation, operands, attributes, names: names)
    for case let (old?, new?) in zip(node.results, results) { copies[old] = new }
  }

  private mutating func lastPosition(of value: ValueID) throws -> ValueID {
    try builder("slice", value, builder.constant([-1]), builder.constant([Int.max]), builder.constant([1]))
  }
}
