import GraphIR
import Tensors

/// An operator that maps each element to one of the same type.
struct UnaryElementwise: Operator {
  let schema: OperatorSchema
  private let content: @Sendable (Dim) -> Dim?

  /// - Parameter content: the function on symbolic integers.
  init(
    _ name: String, _ summary: String, attributes: KeyValuePairs<String, OperatorSchema.Attribute.Kind> = [:],
    content: @escaping @Sendable (Dim) -> Dim? = { _ in nil }
  ) {
    schema = OperatorSchema(name, summary, operands: ["x"], attributes: attributes)
    self.content = content
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let type = try call.type(0)
    guard Content.isTracked(type.element) else { return [ValueFact(type)] }
    return [ValueFact(type, content: Content.map(call, type.shape) { content($0[0]) })]
  }
}

/// An operator that maps each element to a boolean.
struct UnaryPredicate: Operator {
  let schema: OperatorSchema

  init(
    _ name: String, _ summary: String, attributes: KeyValuePairs<String, OperatorSchema.Attribute.Kind> = [:]
  ) {
    schema = OperatorSchema(name, summary, operands: ["x"], attributes: attributes)
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    [ValueFact(.bool, try call.type(0).shape)]
  }
}

enum UnaryOperators {
  static let all: [any Operator] = [
    UnaryElementwise("abs", "The magnitude of each element.") {
      $0.isNonNegative ? $0 : Content.maximum($0, $0 * -1)
    },
    UnaryElementwise("neg", "The negative of each element.") { $0 * -1 },
    UnaryElementwise("sign", "-1, 0 or 1 by the sign of each element."),
    UnaryElementwise("acos", "The arc cosine of each element, in radians."),
    UnaryElementwise("acosh", "The inverse hyperbolic cosine of each element."),
    UnaryElementwise("asin", "The arc sine of each element, in radians."),
    UnaryElementwise("asinh", "The inverse hyperbolic sine of each element."),
    UnaryElementwise("atan", "The arc tangent of each element, in radians."),
    UnaryElementwise("atanh", "The inverse hyperbolic tangent of each element."),
    UnaryElementwise("ceil", "Each element rounded toward plus infinity."),
    UnaryElementwise("cos", "The cosine of each element, in radians."),
    UnaryElementwise("cosh", "The hyperbolic cosine of each element."),
    UnaryElementwise("erf", "The error function of each element."),
    UnaryElementwise("exp", "e to the power of each element."),
    UnaryElementwise("floor", "Each element rounded toward minus infinity."),
    UnaryElementwise("log", "The natural logarithm of each element; NaN below zero."),
    UnaryElementwise("reciprocal", "1 / x."),
    UnaryElementwise("round", "Each element rounded to the nearest integer, ties to even."),
    UnaryElementwise("sin", "The sine of each element, in radians."),
    UnaryElementwise("sinh", "The hyperbolic sine of each element."),
    UnaryElementwise("sqrt", "The square root of each element; NaN below zero."),
    UnaryElementwise("tan", "The tangent of each element, in radians."),
    UnaryElementwise("tanh", "The hyperbolic tangent of each element."),
    UnaryElementwise("identity", "The operand itself.") { $0 },
    UnaryElementwise("not", "The negation of each boolean.") { 1 - $0 },
    UnaryElementwise("bitwise_not", "The complement of the bits of each integer.") { -1 - $0 },
    UnaryPredicate("is_nan", "Whether each element is NaN."),
    UnaryPredicate(
      "is_inf", "Whether each element is infinite, with the signs that the attributes ask for.",
      attributes: ["detect_negative": .int, "detect_positive": .int]),
    Clip(),
    Dropout(),
  ]

  static let activations: [any Operator] = [
    UnaryElementwise(
      "celu", "max(0, x) + min(0, alpha (exp(x / alpha) - 1)).", attributes: ["alpha": .float]),
    UnaryElementwise("elu", "x above 0, else alpha (exp(x) - 1).", attributes: ["alpha": .float]),
    UnaryElementwise(
      "hard_sigmoid", "max(0, min(1, alpha x + beta)).", attributes: ["alpha": .float, "beta": .float]),
    UnaryElementwise("hard_swish", "x max(0, min(1, x/6 + 1/2))."),
    UnaryElementwise("leaky_relu", "x from 0 on, alpha x below.", attributes: ["alpha": .float]),
    UnaryElementwise("mish", "x tanh(log(1 + exp(x)))."),
    UnaryElementwise("relu", "max(x, 0).") { Content.maximum($0, 0) },
    UnaryElementwise(
      "selu", "gamma x above 0, else gamma alpha (exp(x) - 1).",
      attributes: ["alpha": .float, "gamma": .float]),
    UnaryElementwise(
      "shrink", "x + bias below -lambd, x - bias above lambd, 0 between.",
      attributes: ["lambd": .float, "bias": .float]),
    UnaryElementwise("sigmoid", "1 / (1 + exp(-x))."),
    UnaryElementwise("softplus", "log(1 + exp(x))."),
    UnaryElementwise("softsign", "x / (1 + |x|)."),
    UnaryElementwise("thresholded_relu", "x above alpha, else 0.", attributes: ["alpha": .float]),
    Gelu(),
    Swish(),
    SwiGLU(),
  ]
}
