public import GraphIR
import Kernels
public import Tensors

/// Evaluates a function node by node with the portable kernels: the semantic reference.
///
/// Composite operators without a kernel are evaluated through their decomposition. Values are freed after their
/// last use.
public struct Interpreter {
  let module: Module
  let operators: OperatorTable

  /// A node that could not be evaluated.
  public struct Failure: Error, CustomStringConvertible {
    public let node: String
    public let operation: String
    public let message: String
    public let isUnsupported: Bool
    public var description: String { "node '\(node)' (\(operation)): \(message)" }
  }

  public init(_ module: Module, operators: OperatorTable = OperatorSet.standard) {
    self.module = module
    self.operators = operators
  }

  /// Runs a function of the module.
  ///
  /// - Parameter inputs: a tensor for every input, by name.
  /// - Returns: the outputs by name.
  public func run(_ function: Module.Function, inputs: [String: Tensor]) throws(Failure) -> [String: Tensor] {
    let graph = function.graph
    var values: [ValueID: Tensor] = [:]
    for id in graph.inputs {
      let value = graph[id]
      guard let tensor = inputs[value.name] else {
        throw Failure(
          node: value.name, operation: "input", message: "no tensor is given for it", isUnsupported: false)
      }
      guard tensor.element == value.type.element, tensor.rank == value.type.rank else {
        throw Failure(
          node: value.name, operation: "input", message: "found \(tensor.type), accepted is \(value.type)",
          isUnsupported: false)
      }
      values[id] = tensor
    }
    try evaluate(graph, constants: module.constants, &values)
    var outputs: [String: Tensor] = [:]
    for output in graph.outputs {
      outputs[output.name] = tensor(output.value, in: graph, module.constants, values)
    }
    return outputs
  }

  private func tensor(
    _ id: ValueID, in graph: Graph, _ constants: [String: Tensor], _ values: [ValueID: Tensor]
  ) -> Tensor? {
    graph.constantName(of: id).map { constants[$0]! } ?? values[id]
  }

  private func evaluate(
    _ graph: Graph, constants: [String: Tensor], _ values: inout [ValueID: Tensor]
  ) throws(Failure) {
    var remaining = graph.uses().mapValues(\.count)
    for output in graph.outputs { remaining[output.value, default: 0] += 1 }
    for id in graph.order {
      let node = graph[id]
      let operands = node.operands.map { operand in
        operand.flatMap { tensor($0, in: graph, constants, values) }
      }
      let results = try evaluate(node, operands)
      for (result, tensor) in zip(node.results, results) {
        if let result, remaining[result] != nil { values[result] = tensor }
      }
      for case let operand? in node.operands {
        remaining[operand]! -= 1
        if remaining[operand] == 0 { values[operand] = nil }
      }
    }
  }

  /// Evaluates one node on concrete operands.
  ///
  /// - Returns: one tensor per declared result, nil for those left out.
  public func evaluate(_ node: Node, _ operands: [Tensor?]) throws(Failure) -> [Tensor?] {
    do throws(KernelError) {
      if let entry = KernelTable.entries[node.operation], !entry.writesOperands {
        return try KernelRunner(try entry.prepare(node.attributes)).run(
          operands, results: node.results.map { $0 != nil })
      }
    } catch {
      throw Failure(
        node: node.location, operation: node.operation, message: error.message,
        isUnsupported: error.code == .unsupported)
    }
    if let results = try evaluateDecomposition(of: node, operands) { return results }
    throw Failure(
      node: node.location, operation: node.operation, message: "no kernel and no decomposition",
      isUnsupported: true)
  }

  private func evaluateDecomposition(of node: Node, _ operands: [Tensor?]) throws(Failure) -> [Tensor?]? {
    guard let definition = operators[node.operation] else { return nil }
    var builder = GraphBuilder(Graph(), constants: [:], operators: operators, symbols: SymbolSource())
    builder.location = node.location
    var values: [ValueID: Tensor] = [:]
    var inner = node
    inner.operands = operands.enumerated().map { index, operand in
      operand.map { tensor in
        // Small integers become constants, so that a decomposition can see shapes and axes.
        if Graph.trackedContent(of: tensor) != nil { return builder.constant(tensor) }
        let id = builder.graph.addInput("operand\(index)", tensor.type)
        values[id] = tensor
        return id
      }
    }
    let results: [ValueID?]
    do throws(OperatorError) {
      guard let ids = try definition.decompose(inner, into: &builder) else { return nil }
      results = ids
    } catch {
      throw Failure(
        node: node.location, operation: node.operation, message: error.message, isUnsupported: false)
    }
    for case let result? in results { builder.graph.outputs.append((builder.graph[result].name, result)) }
    try evaluate(builder.graph, constants: builder.constants, &values)
    return results.map { result in
      result.flatMap { tensor($0, in: builder.graph, builder.constants, values) }
    }
  }
}
