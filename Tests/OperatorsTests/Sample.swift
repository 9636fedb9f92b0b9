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
  private let resultCount: Int

  init(
    _ operation: String, _ operands: [Tensor?], _ attributes: [String: AttributeValue] = [:],
    results: Int = 1,
    isSymbolic: Bool = true
  ) {
    self.operation = operation
    self.operands = operands
    self.attributes = Attributes(attributes)
    self.isSymbolic = isSymbolic
    resultCount = results
  }

  var testDescription: String {
    "\(operation)(\(operands.map { $0?.type.description ?? "-" }.joined(separator: ", ")))"
  }

  func evaluate() throws -> [Tensor?] {
    let results = (0..<resultCount).map { Optional(ValueID($0)) }
    let ids = operands.indices.map { operands[$0] == nil ? nil : ValueID(100 + $0) }
    let node = Node(operation, operands: ids, results: results, attributes: attributes)
    return try Interpreter(Module()).evaluate(node, operands)
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
