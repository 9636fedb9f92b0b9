import GraphIR
import Operators
import Tensors
import Testing

/// An operator with operands to try it on.
struct Sample: Sendable, CustomTestStringConvertible {
  let operation: String
  let operands: [Tensor?]
  let attributes: Attributes
  /// Whether extents above 1 may become symbols; not when operands name extents by position or value.
  let isSymbolic: Bool
  /// Per result whether it is wanted.
  private let isUsed: [Bool]
  private var resultCount: Int { isUsed.count }

  init(
    _ operation: String, _ operands: [Tensor?], _ attributes: [String: AttributeValue] = [:],
    results: Int = 1, isUsed: [Bool]? = nil, isSymbolic: Bool = true
  ) {
    self.operation = operation
    self.operands = operands
    self.attributes = Attributes(attributes)
    self.isSymbolic = isSymbolic
    self.isUsed = isUsed ?? Array(repeating: true, count: results)
  }

  var testDescription: String {
    "\(operation)(\(operands.map { $0?.type.description ?? "-" }.joined(separator: ", ")))"
  }

  func evaluate() throws -> [Tensor?] {
    let results = isUsed.enumerated().map { $0.element ? ValueID($0.offset) : nil }
    let ids = operands.indices.map { operands[$0] == nil ? nil : ValueID(100 + $0) }
    let node = Node(operation, operands: ids, results: results, attributes: attributes)
    return try Interpreter(Module()).evaluate(node, operands)
  }

  /// Results of the decomposition, run as a function of the operands; nil for a primitive operator.
  func evaluateDecomposition() throws -> [Tensor?]? {
    var builder = GraphBuilder(Graph(), constants: [:], operators: .standard, symbols: SymbolSource())
    var inputs: [String: Tensor] = [:]
    let ids = operands.enumerated().map { index, operand in
      operand.map { operand in
        inputs["operand\(index)"] = operand
        return builder.graph.addInput("operand\(index)", operand.type)
      }
    }
    let results = isUsed.enumerated().map { $0.element ? ValueID(1000 + $0.offset) : nil }
    let node = Node(operation, operands: ids, results: results, attributes: attributes)
    guard let values = try OperatorSet.standard[operation]!.decompose(node, into: &builder) else {
      return nil
    }
    for case let value? in values { builder.graph.outputs.append((builder.graph[value].name, value)) }
    let names = values.map { $0.map { builder.graph[$0].name } }
    let module = Module(functions: [.init("main", builder.graph)], constants: builder.constants)
    let outputs = try Interpreter(module).run(module.main, inputs: inputs)
    return names.map { $0.flatMap { outputs[$0] } }
  }

  /// Infers from types; the elements of integer operands are known.
  func infer(_ types: [TensorType?]) throws -> [ValueFact] {
    let facts = zip(types, operands).map { type, operand in
      type.map { ValueFact($0, content: operand.flatMap(Graph.trackedContent)) }
    }
    let call = InferenceCall(facts, attributes, resultCount: resultCount, symbols: SymbolSource())
    return Array(try OperatorSet.standard[operation]!.infer(call).prefix(resultCount))
  }
}

/// Small numbers of both signs that follow no axis.
func ramp(_ shape: Int..., offset: Float = -1) -> Tensor {
  let count = shape.reduce(1, *)
  return Tensor(f32: (0..<count).map { Float(($0 * 7) % 11) * 0.25 + offset }, shape)
}
