import GraphIR
import Tensors

/// A residual addition followed by layer normalization over the last axis (`com.microsoft`).
///
///     sum = input + skip (+ bias);  y = layer_normalization(sum, gamma, beta)
///
/// Results: y, mean, inverse deviation, sum.
struct SkipLayerNormalization: Operator {
  let schema = OperatorSchema(
    "skip_layer_normalization",
    "layer_normalization(input + skip + bias, gamma, beta); also mean, inverse deviation, sum.",
    operands: ["input", "skip", "gamma", "beta?", "bias?"], results: 1...4, attributes: ["epsilon": .float])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { try SkipRules.facts(call) }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let sum = try SkipRules.sum(node, bias: 4, &builder)
    let operands = [sum, node.operands[2]] + node.operands.dropFirst(3).prefix(1)
    let count = min(max(node.results.count, 1), 3)
    var results = try builder.add(
      "layer_normalization", operands, SkipRules.attributes(node, default: 1e-5), resultCount: count)
    if node.results.count > 3 { results.append(sum) }
    return results
  }
}

/// A residual addition followed by root-mean-square normalization over the last axis (`com.microsoft`).
///
///     sum = input + skip (+ bias);  y = sum / sqrt(mean(sum^2) + epsilon) * gamma
///
/// Results: y, mean, inverse root mean square, sum.
struct SkipSimplifiedLayerNormalization: Operator {
  let schema = OperatorSchema(
    "skip_simplified_layer_normalization",
    "rms_normalization(input + skip + bias, gamma); also mean, inverse root mean square, sum.",
    operands: ["input", "skip", "gamma", "bias?"], results: 1...4, attributes: ["epsilon": .float])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { try SkipRules.facts(call) }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let sum = try SkipRules.sum(node, bias: 3, &builder)
    let attributes = SkipRules.attributes(node, default: 1e-5)
    func isWanted(_ result: Int) -> Bool { result < node.results.count && node.results[result] != nil }
    var results: [ValueID?] = [nil, nil, nil, sum]
    if isWanted(2) {
      let both = try builder.add(
        "simplified_layer_normalization", [sum, node.operands[2]], attributes, resultCount: 2)
      (results[0], results[2]) = (both[0], both[1])
    } else {
      results[0] = try builder.add("rms_normalization", [sum, node.operands[2]], attributes)[0]
    }
    if isWanted(1) { results[1] = try builder("reduce_mean", sum, builder.constant([-1])) }
    return Array(results.prefix(max(node.results.count, 1)))
  }
}

private enum SkipRules {
  static func facts(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (input, skip) = (try call.type(0), try call.type(1))
    let sum = TensorType(input.element, try ShapeRules.broadcast(input.shape, skip.shape))
    let statistics = ValueFact(.f32, Array(sum.shape.dropLast()) + [1])
    return [ValueFact(sum), statistics, statistics, ValueFact(sum)]
  }

  static func sum(_ node: Node, bias: Int, _ builder: inout GraphBuilder) throws(OperatorError) -> ValueID {
    let sum = try builder("add", node.operands[0], node.operands[1])
    guard bias < node.operands.count, let bias = node.operands[bias] else { return sum }
    return try builder("add", sum, bias)
  }

  static func attributes(_ node: Node, default epsilon: Float) -> Attributes {
    Attributes(["axis": .int(-1), "epsilon": .float(node.attributes.float("epsilon", default: epsilon))])
  }
}
