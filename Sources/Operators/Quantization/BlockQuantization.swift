import GraphIR
import Tensors

/// `com.microsoft` MatMulNBits: `y = a . dequantize(b)^T + bias`, b in blocks of 2, 4 or 8 bits along K.
///
/// `accuracy_level` is what other runtimes may lose by quantizing `a`; here `a` is always exact.
struct MatMulNBits: Operator {
  let schema = OperatorSchema(
    "matmul_nbits", "a times the transpose of block-quantized b, plus bias.",
    operands: ["a", "b", "scales", "zero_points?", "g_idx?", "bias?"],
    attributes: [
      "K!": .int, "N!": .int, "bits": .int, "block_size!": .int, "accuracy_level": .int,
      "weight_prepacked": .int,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let a = try call.type(0)
    let (depth, columns) = (try call.requiredInt("K"), try call.requiredInt("N"))
    guard let last = a.shape.last, last.constant.map({ $0 == depth }) ?? true else {
      throw OperatorError("a is \(a), accepted are \(depth) columns")
    }
    if call.has(4) { throw OperatorError("group indices 'g_idx' are not supported") }
    return [ValueFact(a.element, Array(a.shape.dropLast()) + [Dim(columns)])]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let moved = (operands + results).compactMap { $0 }.map { $0.elementCount * $0.element.byteCount }
    let products = (results.first ?? nil)?.elementCount ?? Dim(0)
    return Work(flops: products * 2 * attributes.int("K", default: 0), bytes: moved.reduce(Dim(0), +))
  }

  /// All rows dequantized, transposed and multiplied.
  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    guard let a = node.operands[0], let b = node.operands[1], let scales = node.operands[2],
      let depth = node.attributes.int("K"), let columns = node.attributes.int("N"),
      let block = node.attributes.int("block_size")
    else { return nil }
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    let rows = try builder("reshape", b, builder.constant([columns, -1]))
    let indices = builder.constant(Tensor(i64: Array(0..<columns)))
    var weight = try builder(
      "gather_block_quantized", rows, indices, scales, operand(3),
      attributes: [
        "bits": .int(node.attributes.int("bits", default: 4)), "block_size": .int(block),
        "gather_axis": .int(0),
        "quantize_axis": .int(1),
      ])
    if depth % block != 0 {
      weight = try builder(
        "slice", weight, builder.constant([0]), builder.constant([depth]), builder.constant([1]))
    }
    let transposed = try builder("transpose", weight, attributes: ["perm": .ints([1, 0])])
    let product = try builder("matmul", a, transposed)
    guard let bias = operand(5) else { return [product] }
    return [try builder("add", product, bias)]
  }
}

/// `com.microsoft` GatherBlockQuantized: rows of a block-quantized matrix picked by indices, dequantized.
struct GatherBlockQuantized: Operator {
  let schema = OperatorSchema(
    "gather_block_quantized", "Rows of a block-quantized matrix picked by indices, dequantized.",
    operands: ["data", "indices", "scales", "zero_points?"],
    attributes: ["bits": .int, "block_size": .int, "gather_axis": .int, "quantize_axis": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (data, indices, scales) = (try call.type(0), try call.type(1), try call.type(2))
    let axis = try ShapeRules.axis(call.attributes.int("gather_axis", default: 0), rank: data.rank)
    let quantized = try ShapeRules.axis(call.attributes.int("quantize_axis", default: 1), rank: data.rank)
    var extents = data.shape
    if data.element == .u8 {
      extents[quantized] = extents[quantized] * 8 / Dim(call.attributes.int("bits", default: 4))
    }
    return [
      ValueFact(scales.element, Array(extents[..<axis]) + indices.shape + Array(extents[(axis + 1)...]))
    ]
  }
}
