import GraphIR
import Tensors

/// `y = (x - zero_point) * scale`; one scale, one per position of an axis, or one per block along it.
struct DequantizeLinear: Operator {
  let schema = OperatorSchema(
    "dequantize_linear",
    "(x - zero_point) * scale, with one scale, one per position of 'axis', or one per block.",
    operands: ["x", "scale", "zero_point?"],
    attributes: ["axis": .int, "block_size": .int, "output_dtype": .element])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, scale) = (try call.type(0), try call.type(1))
    try QuantizationRules.check(call)
    return [ValueFact(call.attributes.element("output_dtype") ?? scale.element, x.shape)]
  }
}

/// `y = saturate(round(x / scale) + zero_point)`, ties to even; the result has the zero point's type, default
/// u8.
struct QuantizeLinear: Operator {
  let schema = OperatorSchema(
    "quantize_linear", "saturate(round(x / scale) + zero_point), ties to even.",
    operands: ["x", "scale", "zero_point?"],
    attributes: [
      "axis": .int, "block_size": .int, "output_dtype": .element, "precision": .element, "saturate": .int,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    try QuantizationRules.check(call)
    let zero = call.has(2) ? try call.type(2).element : nil
    return [ValueFact(zero ?? call.attributes.element("output_dtype") ?? .u8, x.shape)]
  }
}

/// Quantizes to u8 over the operand's own range: codes, scale and zero point.
struct DynamicQuantizeLinear: Operator {
  let schema = OperatorSchema(
    "dynamic_quantize_linear",
    "u8 codes over x's own range, which is made to hold zero; its scale and zero point.",
    operands: ["x"], results: 1...3)

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard x.element == .f32 else { throw OperatorError("x is \(x), accepted is f32") }
    return [ValueFact(.u8, x.shape), ValueFact(.f32, []), ValueFact(.u8, [])]
  }
}

/// The product of quantized operands, quantized again.
///
///     y = quantize_linear(matmul_integer(a, b, a_zero, b_zero) * (a_scale * b_scale), y_scale, y_zero)
struct QLinearMatMul: Operator {
  let schema = OperatorSchema(
    "qlinear_matmul", "The product of quantized operands, quantized again.",
    operands: ["a", "a_scale", "a_zero_point", "b", "b_scale", "b_zero_point", "y_scale", "y_zero_point"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (a, b) = (try call.type(0), try call.type(3))
    let element = try call.type(7).element
    guard a.rank >= 1, b.rank >= 1 else {
      throw OperatorError("a is \(a) and b is \(b), accepted is rank 1 and up")
    }
    let lead = try ShapeRules.broadcast(Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)))
    let rows = a.rank > 1 ? [a.shape[a.rank - 2]] : []
    let columns = b.rank > 1 ? [b.shape[b.rank - 1]] : []
    return [ValueFact(element, lead + rows + columns)]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let operands = node.operands.compactMap { $0 }
    guard operands.count == 8 else { return nil }
    for scale in [operands[1], operands[4]] where builder.type(scale).rank > 1 {
      throw OperatorError("the scale is \(builder.type(scale)), accepted are a scalar and a vector")
    }
    let product = try builder("matmul_integer", operands[0], operands[3], operands[2], operands[5])
    let number = try builder("cast", product, attributes: ["to": .element(.f32)])
    var rowScale = try builder("cast", operands[1], attributes: ["to": .element(.f32)])
    if builder.type(rowScale).rank == 1, builder.type(rowScale).shape[0].constant != 1 {
      rowScale = try builder("unsqueeze", rowScale, builder.constant([1]))
    }
    let columnScale = try builder("cast", operands[4], attributes: ["to": .element(.f32)])
    let scaled = try builder("mul", number, builder("mul", rowScale, columnScale))
    let scale = try builder("cast", operands[6], attributes: ["to": .element(.f32)])
    return [try builder("quantize_linear", scaled, scale, operands[7], attributes: ["axis": .int(-2)])]
  }
}

enum QuantizationRules {
  /// Checks that scale and zero point are laid out alike, and blocks where there are blocks.
  static func check(_ call: InferenceCall) throws(OperatorError) {
    let (x, scale) = (try call.type(0), try call.type(1))
    if call.attributes.int("block_size", default: 0) > 0, scale.rank != x.rank {
      throw OperatorError("blocks of \(x) need scales of equal rank, found \(scale)")
    }
    if scale.rank == 1, scale.shape[0].constant != 1 {
      _ = try ShapeRules.axis(call.attributes.int("axis", default: 1), rank: x.rank)
    }
    guard call.has(2) else { return }
    let zero = try call.type(2)
    if let a = zero.elementCount.constant, let b = scale.elementCount.constant, a != b {
      throw OperatorError("the zero points are \(zero), the scales \(scale): they must be as many")
    }
  }
}

/// Operators that map between numbers and small codes.
enum QuantizationOperators {
  static let all: [any Operator] = [
    QuantizeLinear(), DequantizeLinear(), DynamicQuantizeLinear(), QLinearMatMul(), PackBlocks(),
    UnpackBlocks(), UnpackColumns(), MatMulNBits(),
    GatherBlockQuantized(),
  ]
}
