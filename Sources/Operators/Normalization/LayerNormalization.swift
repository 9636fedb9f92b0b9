import GraphIR
import Tensors

/// Normalizes to mean 0 and variance 1 over the axes from `axis` on, then scales and shifts.
///
///     y = (x - mean) / sqrt(variance + epsilon) * scale + bias
///
/// Results: y, mean and inverse standard deviation, the latter two of type `stash_type`.
struct LayerNormalization: Operator {
  let schema = OperatorSchema(
    "layer_normalization",
    "(x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from 'axis' on; also mean, deviation^-1.",
    operands: ["x", "scale", "bias?"], results: 1...3,
    attributes: ["axis": .int, "epsilon": .float, "stash_type": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let statistics = try NormalizationRules.statistics(call, x)
    return [ValueFact(x), statistics, statistics]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let (x, scale) = (node.operands[0]!, node.operands[1]!)
    let rank = builder.type(x).rank
    let first = try ShapeRules.axis(node.attributes.int("axis", default: -1), rank: rank)
    let axes = builder.constant(Array(first..<rank))
    let mean = try builder("reduce_mean", x, axes)
    let centered = try builder("sub", x, mean)
    let inverse = try NormalizationRules.inverseDeviation(of: centered, axes, node.attributes, &builder)
    var y = try builder("mul", try builder("mul", centered, inverse), scale)
    if node.operands.count > 2, let bias = node.operands[2] { y = try builder("add", y, bias) }
    return [y, mean, inverse].prefix(max(node.results.count, 1)).map { $0 }
  }
}

/// Divides by the root of the mean square over the axes from `axis` on, then scales.
///
///     y = x / sqrt(mean(x^2) + epsilon) * scale
struct RMSNormalization: Operator {
  let schema = OperatorSchema(
    "rms_normalization", "x / sqrt(mean(x^2) + epsilon) * scale over the axes from 'axis' on.",
    operands: ["x", "scale"], attributes: ["axis": .int, "epsilon": .float, "stash_type": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    _ = try NormalizationRules.statistics(call, x)
    return [ValueFact(x)]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    [try NormalizationRules.rootMeanSquare(node, &builder).y]
  }
}

/// ``RMSNormalization`` with the inverse root mean square as a second result.
struct SimplifiedLayerNormalization: Operator {
  let schema = OperatorSchema(
    "simplified_layer_normalization",
    "x / sqrt(mean(x^2) + epsilon) * scale over the axes from 'axis' on; also the factor 1 / sqrt(...).",
    operands: ["x", "scale"], results: 1...2,
    attributes: ["axis": .int, "epsilon": .float, "stash_type": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    return [ValueFact(x), try NormalizationRules.statistics(call, x)]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    if node.results.count < 2 || node.results[1] == nil {
      return try builder.add("rms_normalization", node.operands, node.attributes)
    }
    let (y, inverse) = try NormalizationRules.rootMeanSquare(node, &builder)
    return [y, inverse]
  }
}

/// Rules that normalizations share.
enum NormalizationRules {
  /// The type of mean and inverse deviation: the normalized axes have extent 1, elements are of 'stash_type'.
  static func statistics(_ call: InferenceCall, _ x: TensorType) throws(OperatorError) -> ValueFact {
    let stash = call.attributes.int("stash_type", default: 1)
    guard stash == 1 else { throw OperatorError("'stash_type' is \(stash), accepted is 1 (f32)") }
    let axis = try ShapeRules.axis(call.attributes.int("axis", default: -1), rank: x.rank)
    return ValueFact(.f32, x.shape.enumerated().map { $0.offset < axis ? $0.element : 1 })
  }

  /// `1 / sqrt(mean(x^2) + epsilon)`
  static func inverseDeviation(
    of x: ValueID, _ axes: ValueID, _ attributes: Attributes, _ builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    let squares = try builder("mul", x, x)
    let epsilon = builder.constant(Double(attributes.float("epsilon", default: 1e-5)), like: x)
    let variance = try builder("add", try builder("reduce_mean", squares, axes), epsilon)
    return try builder("reciprocal", try builder("sqrt", variance))
  }

  static func rootMeanSquare(
    _ node: Node, _ builder: inout GraphBuilder
  ) throws(OperatorError) -> (y: ValueID, inverse: ValueID) {
    let (x, scale) = (node.operands[0]!, node.operands[1]!)
    let rank = builder.type(x).rank
    let first = try ShapeRules.axis(node.attributes.int("axis", default: -1), rank: rank)
    let axes = builder.constant(Array(first..<rank))
    let inverse = try inverseDeviation(of: x, axes, node.attributes, &builder)
    return (try builder("mul", try builder("mul", x, inverse), scale), inverse)
  }
}
