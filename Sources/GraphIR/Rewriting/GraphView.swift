public import Tensors

/// What rules see of a function: the graph, the constants, and questions that patterns are made of.
///
/// It is lent for the time of a match and cannot be kept: a copy would make every change copy the graph.
public struct GraphView: ~Copyable {
  public let graph: Graph
  public let constants: [String: Tensor]
  private let expressions: ConstantExpressions

  init(_ graph: Graph, constants: [String: Tensor], expressions: ConstantExpressions) {
    self.graph = graph
    self.constants = constants
    self.expressions = expressions
  }

  public subscript(node: NodeID) -> Node { graph[node] }

  // MARK: Values

  public func type(_ value: ValueID) -> TensorType { graph[value].type }

  /// The elements of a small integer value that are known, all of them plain integers.
  public func integers(_ value: ValueID?) -> [Int]? {
    guard let value, let content = graph[value].content else { return nil }
    let integers = content.compactMap(\.constant)
    return integers.count == content.count ? integers : nil
  }

  /// Nodes and outputs that read a value; a node that reads it twice counts twice.
  public func useCount(_ value: ValueID) -> Int {
    graph.users(of: value).count + graph.outputs.count { $0.value == value }
  }

  /// - Throws: that a value, called by `name`, is read by others than the pattern.
  public func requireSingleUse(_ value: ValueID, _ name: String) throws(Miss) {
    let count = useCount(value)
    guard count == 1 else { throw Miss("\(name) has \(count) uses, need 1") }
  }

  // MARK: Nodes

  /// The node of one of these operations that computes a value as its first result.
  public func producer(of value: ValueID?, _ operations: String...) -> Node? {
    guard let value, case .result(let id, 0) = graph[value].definition,
      operations.contains(graph[id].operation)
    else { return nil }
    return graph[id]
  }

  /// The operands of a node that takes two, both present.
  public func pair(_ node: Node) -> (ValueID, ValueID)? {
    guard node.operands.count == 2, let a = node.operands[0], let b = node.operands[1] else { return nil }
    return (a, b)
  }

  /// The operands of the node of this operation that computes a value.
  public func pair(_ value: ValueID?, _ operation: String) -> (ValueID, ValueID)? {
    producer(of: value, operation).flatMap { pair($0) }
  }

  /// The only operand of the node of this operation that computes a value.
  public func operand(of value: ValueID?, _ operation: String) -> ValueID? {
    guard let node = producer(of: value, operation) else { return nil }
    return node.operands.first ?? nil
  }

  // MARK: Constants

  public func constant(_ value: ValueID?) -> Tensor? {
    graph.constantName(of: value).flatMap { constants[$0] }
  }

  /// Whether the whole cone of a value is constants.
  public func isConstantExpression(_ value: ValueID) -> Bool { expressions.contains(value, in: graph) }

  /// The number that all elements of a constant have. Constants with more elements than a vector of a model
  /// are not read.
  public func uniform(_ value: ValueID?) -> Double? {
    guard let tensor = constant(value), (1...Self.largestUniform).contains(tensor.elementCount) else {
      return nil
    }
    let first = tensor.double(at: 0)
    for index in 1..<max(tensor.elementCount, 1) where tensor.double(at: index) != first { return nil }
    return first
  }

  private static let largestUniform = 1 << 16

  /// The number in a constant of one element.
  public func scalar(_ value: ValueID?) -> Double? {
    guard let tensor = constant(value), tensor.elementCount == 1 else { return nil }
    return tensor.double(at: 0)
  }

  /// The other operand of a commutative operation, and the scalar that is its one operand.
  public func withScalar(_ value: ValueID?, _ operation: String) -> (operand: ValueID, scalar: Double)? {
    guard let (a, b) = pair(value, operation) else { return nil }
    if let scalar = scalar(b) { return (a, scalar) }
    return scalar(a).map { (b, $0) }
  }
}
