import GraphIR
import Tensors

/// An operator that combines operands of one element type with broadcasting.
struct BroadcastElementwise: Operator {
  let schema: OperatorSchema
  private let element: ElementType?
  private let content: @Sendable ([Dim]) -> Dim?

  /// - Parameters:
  ///   - element: of the result; that of the operands when nil.
  ///   - content: the function on symbolic integers.
  init(
    _ name: String, _ summary: String, operands: [String] = ["a", "b"], element: ElementType? = nil,
    attributes: KeyValuePairs<String, OperatorSchema.Attribute.Kind> = [:],
    content: @escaping @Sendable ([Dim]) -> Dim? = { _ in nil }
  ) {
    schema = OperatorSchema(name, summary, operands: operands, attributes: attributes)
    self.element = element
    self.content = content
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let type = try ShapeRules.broadcastType(call)
    let result = TensorType(element ?? type.element, type.shape)
    guard Content.isTracked(type.element) else { return [ValueFact(result)] }
    return [ValueFact(result, content: Content.map(call, type.shape, content))]
  }
}

enum BinaryOperators {
  static let arithmetic: [any Operator] = [
    BroadcastElementwise("add", "a + b.") { $0[0] + $0[1] },
    BroadcastElementwise("sub", "a - b.") { $0[0] - $0[1] },
    BroadcastElementwise("mul", "a b.") { $0[0] * $0[1] },
    BroadcastElementwise("div", "a / b; integers are rounded toward zero.") {
      Content.quotient($0[0], $0[1])
    },
    BroadcastElementwise("prelu", "x from 0 on, slope x below.", operands: ["x", "slope"]),
    Mod(),
    Pow(),
    BroadcastElementwise("max", "The largest of the operands; NaN if one is.", operands: ["x..."]) {
      $0.dropFirst().reduce($0[0], Content.maximum)
    },
    BroadcastElementwise("min", "The smallest of the operands; NaN if one is.", operands: ["x..."]) {
      $0.dropFirst().reduce($0[0], Content.minimum)
    },
    BroadcastElementwise("sum", "The sum of the operands.", operands: ["x..."]) {
      $0.dropFirst().reduce($0[0], +)
    },
    BroadcastElementwise("mean", "The mean of the operands.", operands: ["x..."]),
  ]

  static let logic: [any Operator] = [
    BroadcastElementwise("equal", "Whether a = b.", element: .bool) {
      Content.boolean(Content.isEqual($0[0], $0[1]))
    },
    BroadcastElementwise("greater", "Whether a > b.", element: .bool) {
      Content.boolean(Content.isLess($0[1], $0[0]))
    },
    BroadcastElementwise("greater_or_equal", "Whether a >= b.", element: .bool) {
      Content.boolean(Content.isLess($0[0], $0[1]).map { !$0 })
    },
    BroadcastElementwise("less", "Whether a < b.", element: .bool) {
      Content.boolean(Content.isLess($0[0], $0[1]))
    },
    BroadcastElementwise("less_or_equal", "Whether a <= b.", element: .bool) {
      Content.boolean(Content.isLess($0[1], $0[0]).map { !$0 })
    },
    BroadcastElementwise("and", "Whether both booleans hold.") { $0[0] * $0[1] },
    BroadcastElementwise("or", "Whether one of the booleans holds.") { Content.maximum($0[0], $0[1]) },
    BroadcastElementwise("xor", "Whether exactly one of the booleans holds.") {
      Content.boolean(Content.isEqual($0[0], $0[1]).map { !$0 })
    },
    BroadcastElementwise("bitwise_and", "The bits that both integers have."),
    BroadcastElementwise("bitwise_or", "The bits that one of the integers has."),
    BroadcastElementwise("bitwise_xor", "The bits that exactly one of the integers has."),
    BroadcastElementwise(
      "bit_shift", "a shifted by b bits to the 'direction' LEFT or RIGHT.",
      attributes: ["direction!": .string]),
    Where(),
  ]
}
