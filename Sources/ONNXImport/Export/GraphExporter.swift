import GraphIR
import ONNXFormat
import Tensors

/// Writes one function as an ONNX graph.
///
/// 1. Operators that ONNX does not have are rewritten as their decompositions, until only those that it has are left.
/// 2. Values get names: outputs their own, all others the IR's, made unique.
/// 3. Nodes, constants that are used, inputs and outputs become messages; weights are referred to, not copied.
struct GraphExporter {
  private let operators: OperatorTable
  private var builder: GraphBuilder
  private var names: [ValueID: String] = [:]
  private(set) var opset = StandardOperators.oldestOpset
  private(set) var usesMicrosoft = false

  init(_ function: Module.Function, constants: [String: Tensor], operators: OperatorTable) {
    self.operators = operators
    let symbols = SymbolSource(unusedIn: Module(functions: [function]))
    builder = GraphBuilder(function.graph, constants: constants, operators: operators, symbols: symbols)
  }

  mutating func run(name: String) throws(ExportError) -> ONNXGraph {
    try decompose()
    nameValues()
    let graph = builder.graph
    var result = ONNXGraph(name: name)
    for id in graph.inputs { result.inputs.append(info(names[id] ?? "", graph[id].type)) }
    for id in graph.order { result.nodes.append(try message(graph[id])) }
    for output in graph.outputs {
      result.outputs.append(info(output.name, graph[output.value].type))
      guard let inner = names[output.value], inner != output.name else { continue }
      result.nodes.append(ONNXNode("Identity", name: output.name, inputs: [inner], outputs: [output.name]))
    }
    var written: Set<ValueID> = []
    for value in graph.order.flatMap({ graph[$0].operands }).compactMap({ $0 }) + graph.outputs.map(\.value) {
      guard let constant = graph.constantName(of: value), written.insert(value).inserted,
        let tensor = builder.constants[constant]
      else { continue }
      result.initializers.append(ONNXTensor(names[value] ?? constant, tensor))
    }
    return result
  }

  // MARK: Operators

  private mutating func decompose() throws(ExportError) {
    while true {
      let foreign = builder.graph.order.filter { StandardOperators.names[builder.graph[$0].operation] == nil }
      if foreign.isEmpty { return }
      for id in foreign { try decompose(id) }
    }
  }

  private mutating func decompose(_ id: NodeID) throws(ExportError) {
    let node = builder.graph[id]
    func failure(_ message: String) -> ExportError { ExportError(node: node.location, message: message) }
    builder.position = id
    builder.location = node.location
    let results: [ValueID?]?
    do throws(OperatorError) {
      results = try operators[node.operation]?.decompose(node, into: &builder)
    } catch {
      throw failure(error.message)
    }
    guard let results else {
      throw failure("'\(node.operation)' is no operator of ONNX and has no decomposition into such")
    }
    for (old, new) in zip(node.results, results) {
      if let old, let new { builder.graph.replaceUses(of: old, with: new) }
    }
    builder.graph.remove([id])
  }

  private mutating func message(_ node: Node) throws(ExportError) -> ONNXNode {
    guard let name = StandardOperators.names[node.operation] else {
      throw ExportError(node: node.location, message: "'\(node.operation)' is no operator of ONNX")
    }
    if name.domain.isEmpty {
      opset = max(opset, name.opset ?? 0)
      // Windows came after the operator itself.
      if node.attributes["left_window_size"] != nil || node.attributes["right_window_size"] != nil {
        opset = max(opset, 25)
      }
    } else {
      usesMicrosoft = true
    }
    return ONNXNode(
      name.operation, domain: name.domain, name: node.location,
      inputs: node.operands.map { $0.flatMap { names[$0] } ?? "" },
      outputs: node.results.map { $0.flatMap { names[$0] } ?? "" },
      attributes: node.attributes.values.sorted { $0.key < $1.key }.map {
        ONNXAttribute($0.key, Self.value($0.value))
      })
  }

  private static func value(_ value: AttributeValue) -> ONNXAttribute.Value {
    switch value {
    case .int(let value): .int(value)
    case .float(let value): .float(value)
    case .string(let value): .string(value)
    case .ints(let values): .ints(values)
    case .floats(let values): .floats(values)
    case .strings(let values): .strings(values)
    case .element(let element): .int(Int(ONNXDataType(element).rawValue))
    case .tensor(let tensor): .tensor(ONNXTensor("", tensor))
    }
  }

  // MARK: Values

  private mutating func nameValues() {
    let graph = builder.graph
    var taken = Set(graph.outputs.map(\.name) + graph.inputs.map { graph[$0].name })
    for id in graph.inputs { names[id] = graph[id].name }
    for output in graph.outputs where names[output.value] == nil && graph.producer(of: output.value) != nil {
      names[output.value] = output.name
    }
    let used = graph.order.flatMap { graph[$0].operands + graph[$0].results } + graph.outputs.map { $0.value }
    for case let id? in used where names[id] == nil {
      var name = graph[id].name
      while !taken.insert(name).inserted { name += "_" }
      names[id] = name
    }
  }

  private func info(_ name: String, _ type: TensorType) -> ONNXValueInfo {
    ONNXValueInfo(
      name, ONNXDataType(type.element),
      type.shape.map { dim in dim.constant.map { .value($0) } ?? .parameter(dim.symbol ?? dim.description) })
  }
}
