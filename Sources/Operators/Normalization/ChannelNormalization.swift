import GraphIR
import Tensors

/// An operator whose single result has the type of its first operand `x[n, c, ...]`.
struct ChannelNormalization: Operator {
  let schema: OperatorSchema

  init(
    _ name: String, _ summary: String, operands: [String],
    attributes: KeyValuePairs<String, OperatorSchema.Attribute.Kind>
  ) {
    schema = OperatorSchema(name, summary, operands: operands, attributes: attributes)
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard x.rank >= 2 else { throw OperatorError("found \(x), accepted are two axes and more") }
    return [ValueFact(x)]
  }
}

/// Normalizes each channel with given statistics.
///
/// In training mode they are its own; running statistics are results 1 and 2.
struct BatchNormalization: Operator {
  let schema = OperatorSchema(
    "batch_normalization",
    "(x - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + bias[c]; running statistics when training.",
    operands: ["x", "scale", "bias", "mean", "variance"], results: 1...3,
    attributes: ["epsilon": .float, "momentum": .float, "training_mode": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, mean, variance) = (try call.type(0), try call.type(3), try call.type(4))
    guard call.attributes.bool("training_mode", default: false) else { return [ValueFact(x)] }
    return [ValueFact(x), ValueFact(mean), ValueFact(variance)]
  }
}

/// Normalizes to mean 0 and variance 1 over axes, without scale.
///
///     y = (x - mean) / (sqrt(variance) + 1e-9)
struct MeanVarianceNormalization: Operator {
  let schema = OperatorSchema(
    "mean_variance_normalization", "(x - mean) / (sqrt(variance) + 1e-9) over 'axes', [0, 2, 3] when absent.",
    operands: ["x"], attributes: ["axes": .ints])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let x = node.operands[0]!
    let axes = builder.constant(node.attributes.ints("axes") ?? [0, 2, 3])
    let centered = try builder("sub", x, try builder("reduce_mean", x, axes))
    let variance = try builder("reduce_mean", try builder("mul", centered, centered), axes)
    let deviation = try builder("add", try builder("sqrt", variance), builder.constant(1e-9, like: x))
    return [try builder("div", centered, deviation)]
  }
}

enum NormalizationOperators {
  static let all: [any Operator] = [
    LayerNormalization(),
    RMSNormalization(),
    SimplifiedLayerNormalization(),
    SkipLayerNormalization(),
    SkipSimplifiedLayerNormalization(),
    ResidualNormalization(),
    BatchNormalization(),
    MeanVarianceNormalization(),
    ChannelNormalization(
      "group_normalization",
      "(x - mean) / sqrt(variance + epsilon) * scale[c] + bias[c] over groups of channels.",
      operands: ["x", "scale", "bias"],
      attributes: ["num_groups!": .int, "epsilon": .float, "stash_type": .int]),
    ChannelNormalization(
      "instance_normalization",
      "(x - mean) / sqrt(variance + epsilon) * scale[c] + bias[c] over each channel.",
      operands: ["x", "scale", "bias"], attributes: ["epsilon": .float]),
    ChannelNormalization(
      "lrn", "x / (bias + alpha / size * sum of squares of 'size' neighbouring channels)^beta.",
      operands: ["x"],
      attributes: ["alpha": .float, "beta": .float, "bias": .float, "size!": .int]),
  ]
}
