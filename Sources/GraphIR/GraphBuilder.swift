public import Tensors

/// Appends nodes to a graph with their types inferred, and constants to the module's pool.
public struct GraphBuilder {
  public var graph: Graph
  public var constants: [String: Tensor]
  public let operators: OperatorTable
  public let symbols: SymbolSource
  /// Given to every node that is added.
  public var location = ""
  /// Nodes are inserted before this one; at the end when nil.
  public var position: NodeID?

  public init(_ graph: Graph, constants: [String: Tensor], operators: OperatorTable, symbols: SymbolSource) {
    self.graph = graph
    self.constants = constants
    self.operators = operators
    self.symbols = symbols
  }

  public func fact(_ value: ValueID) -> ValueFact {
    ValueFact(graph[value].type, content: graph[value].content)
  }

  public func type(_ value: ValueID) -> TensorType { graph[value].type }

  /// Adds a node and infers the types of its results.
  ///
  /// - Parameter names: one per result, nil for a result that is left out; made from the mnemonic when too few.
  /// - Throws: what the operator says about its operands, or that there is no such operator.
  public mutating func add(
    _ operation: String, _ operands: [ValueID?], _ attributes: Attributes = Attributes(),
    names: [String?] = [], resultCount: Int = 1
  ) throws(OperatorError) -> [ValueID?] {
    guard let definition = operators[operation] else {
      throw OperatorError("there is no operator '\(operation)'")
    }
    let count = names.isEmpty ? resultCount : names.count
    let facts = try definition.infer(
      InferenceCall(operands.map { $0.map(fact) }, attributes, resultCount: count, symbols: symbols))
    guard facts.count >= count else {
      throw OperatorError("'\(operation)' has \(facts.count) results, the node names \(count)")
    }
    var results: [(name: String, fact: ValueFact)?] = []
    for index in 0..<count {
      if index < names.count {
        results.append(names[index].map { ($0, facts[index]) })
      } else {
        results.append((operation, facts[index]))
      }
    }
    return graph.append(
      operation, operands, attributes: attributes, results: results, location: location, before: position)
  }

  /// Adds a node with one result.
  public mutating func callAsFunction(
    _ operation: String, _ operands: ValueID?..., attributes: [String: AttributeValue] = [:]
  ) throws(OperatorError) -> ValueID {
    try add(operation, operands, Attributes(attributes))[0]!
  }

  /// A constant value. Equal small constants are shared by the name that their content gives them.
  public mutating func constant(_ tensor: Tensor, name: String? = nil) -> ValueID {
    var stem = name ?? "c"
    if name == nil, let content = Graph.trackedContent(of: tensor) {
      stem =
        "c.\(tensor.element).\(tensor.shape.map(String.init).joined(separator: "x"))."
        + content.map(\.description).joined(separator: ",")
    }
    var key = stem
    var suffix = 1
    while let existing = constants[key], !Self.isEqual(existing, tensor) {
      key = "\(stem).\(suffix)"
      suffix += 1
    }
    constants[key] = tensor
    return graph.addConstant(key, tensor.type, content: Graph.trackedContent(of: tensor))
  }

  public mutating func constant(_ values: [Int]) -> ValueID { constant(Tensor(i64: values)) }

  public mutating func constant(_ value: Float) -> ValueID { constant(Tensor(f32: [value], [])) }

  private static func isEqual(_ a: Tensor, _ b: Tensor) -> Bool {
    guard a.element == b.element, a.shape == b.shape else { return false }
    return a.base == b.base || a.bytes.elementsEqual(b.bytes)
  }
}

extension Graph {
  /// The content that inference tracks for a constant: its elements, when it is small and integer or boolean.
  public static func trackedContent(of tensor: Tensor) -> [Dim]? {
    guard !tensor.element.isFloatingPoint, tensor.elementCount <= ValueFact.maximumContentCount else {
      return nil
    }
    return tensor.integers.map { Dim($0) }
  }
}
