import GraphIR
import Operators
import Tensors

/// Evaluates values of a graph for chosen sizes and chosen values of some others, without running the rest.
///
/// What a piece of a graph means shows in what it computes: that is the same however an exporter spelled it.
struct ConeEvaluator {
  /// A value that cannot be evaluated: the reason.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private let graph: Graph
  private let constants: [String: Tensor]
  private let interpreter: Interpreter
  let sizes: [String: Int]
  private var known: [ValueID: Tensor]

  init(
    _ graph: Graph, constants: [String: Tensor], operators: OperatorTable, sizes: [String: Int],
    known: [ValueID: Tensor] = [:]
  ) {
    self.graph = graph
    self.constants = constants
    self.sizes = sizes
    self.known = known
    interpreter = Interpreter(Module(), operators: operators)
  }

  /// Takes a value as given from now on.
  mutating func set(_ value: ValueID, _ tensor: Tensor) { known[value] = tensor }

  /// The elements of a value.
  ///
  /// - Throws: ``Failure`` when it depends on an input that is not given, or a node refuses its operands.
  mutating func tensor(_ value: ValueID) throws(Failure) -> Tensor {
    if let tensor = known[value] { return tensor }
    let tensor = try evaluate(value)
    known[value] = tensor
    return tensor
  }

  /// As ``tensor(_:)``, with a reason that names the value.
  mutating func read(_ value: ValueID) throws(Miss) -> Tensor {
    do throws(Failure) {
      return try tensor(value)
    } catch {
      throw Miss("'\(graph[value].name)' cannot be evaluated: \(error)")
    }
  }

  /// The extents of a value, from its type where that tells.
  func shape(_ value: ValueID) -> [Int]? {
    let extents = graph[value].type.shape.map { $0.evaluated(sizes) }
    return extents.contains(nil) ? nil : extents.compactMap { $0 }
  }

  private mutating func evaluate(_ value: ValueID) throws(Failure) -> Tensor {
    if let name = graph.constantName(of: value), let tensor = constants[name] { return tensor }
    if let tensor = content(value) { return tensor }
    guard let producer = graph.producer(of: value) else {
      throw Failure(description: "it depends on the input '\(graph[value].name)'")
    }
    let node = graph[producer]
    if node.operation == "shape", let operand = node.operands[0], let tensor = extents(operand, node) {
      return tensor
    }
    var operands: [Tensor?] = []
    for operand in node.operands {
      guard let operand else {
        operands.append(nil)
        continue
      }
      operands.append(try tensor(operand))
    }
    do throws(Interpreter.Failure) {
      let results = try interpreter.evaluate(node, operands)
      for (result, tensor) in zip(node.results, results) {
        if let result, let tensor { known[result] = tensor }
      }
    } catch {
      throw Failure(description: "\(error)")
    }
    guard let tensor = known[value] else { throw Failure(description: "'\(node.operation)' leaves it out") }
    return tensor
  }

  /// Small integers that inference has followed.
  private func content(_ value: ValueID) -> Tensor? {
    guard let content = graph[value].content, let shape = shape(value) else { return nil }
    let numbers = content.compactMap { $0.evaluated(sizes) }
    guard numbers.count == content.count else { return nil }
    switch graph[value].type.element {
    case .i64: return Tensor(i64: numbers, shape)
    case .i32: return Tensor(i32: numbers.map { Int32(truncatingIfNeeded: $0) }, shape)
    case .bool: return Tensor(bool: numbers.map { $0 != 0 }, shape)
    default: return nil
    }
  }

  /// The result of a `shape` node whose operand's elements are not needed for it.
  private func extents(_ operand: ValueID, _ node: Node) -> Tensor? {
    guard known[operand] == nil, let shape = shape(operand) else { return nil }
    func bound(_ name: String, default value: Int) -> Int {
      let index = node.attributes.int(name, default: value)
      return min(max(index < 0 ? index + shape.count : index, 0), shape.count)
    }
    let (start, end) = (bound("start", default: 0), bound("end", default: shape.count))
    return Tensor(i64: start < end ? Array(shape[start..<end]) : [])
  }
}
