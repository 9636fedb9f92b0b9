import GraphIR
import ONNXFormat
import ONNXImport
import Tensors
import Testing

/// Older forms, judged by what they compute.
@Suite struct OpsetTests {
  private static let x = Tensor(f32: [1, -2, 3, 4, 5, -6, 7, 8], [2, 4])

  private func y(
    _ opset: Int, _ operation: String, _ attributes: [(String, ONNXAttribute.Value)], _ x: Tensor = Self.x,
    operands: [String: Tensor] = [:]
  ) throws -> Tensor {
    let node = ONNXNode(
      operation, inputs: ["x"] + operands.keys.sorted(), outputs: ["y"],
      attributes: attributes.map { ONNXAttribute($0.0, $0.1) })
    let model = Samples.model(
      opset: opset, [node], inputs: [("x", ONNXDataType(x.element), x.shape.map { .value($0) })],
      constants: operands)
    return try #require(try Samples.run(model, x)["y"])
  }

  @Test func axesThatWereAttributes() throws {
    #expect(try y(11, "Unsqueeze", [("axes", .ints([0, 2]))]).shape == [1, 2, 1, 4])
    #expect(try y(11, "Squeeze", [("axes", .ints([0]))], Self.x.reshaped([1, 8])).shape == [8])
    #expect(try y(11, "ReduceSum", [("axes", .ints([1]))]).doubles == [6, 14])
    #expect(try y(17, "ReduceMean", [("axes", .ints([0])), ("keepdims", .int(0))]).doubles == [3, -4, 5, 6])
    #expect(try y(13, "ReduceMax", []).doubles == [8])
    #expect(throws: ImportError.self) { try y(18, "ReduceMean", [("axes", .ints([0]))]) }
  }

  @Test func boundsThatWereAttributes() throws {
    #expect(
      try y(9, "Slice", [("starts", .ints([1])), ("ends", .ints([3])), ("axes", .ints([1]))]).doubles == [
        -2, 3, -6, 7,
      ])
    #expect(
      try y(6 + 1, "Clip", [("min", .float(0)), ("max", .float(4))]).doubles == [1, 0, 3, 4, 4, 0, 4, 4])
    #expect(
      try y(10, "Pad", [("pads", .ints([0, 1, 0, 0])), ("value", .float(9))]).doubles == [
        9, 1, -2, 3, 4, 9, 5, -6, 7, 8,
      ])
    #expect(try y(7, "Dropout", [("ratio", .float(0.5))]).doubles == Self.x.doubles)
  }

  @Test func softmaxOfFlattenedOperand() throws {
    let cube = Self.x.reshaped([2, 2, 2])
    let result = try y(12, "Softmax", [], cube)
    #expect(result.shape == [2, 2, 2])
    #expect(abs(result.doubles[..<4].reduce(0, +) - 1) < 1e-6)
    let newest = try y(13, "Softmax", [], cube)
    #expect(abs(newest.doubles[..<2].reduce(0, +) - 1) < 1e-6)
    #expect(try y(11, "Hardmax", [("axis", .int(1))]).doubles == [0, 0, 0, 1, 0, 0, 0, 1])
  }

  @Test func splitIntoEqualParts() throws {
    func parts(_ opset: Int, _ attributes: [ONNXAttribute]) throws -> [[Double]] {
      let node = ONNXNode(
        "Split", inputs: ["x"], outputs: ["y", "z"], attributes: [ONNXAttribute("axis", .int(1))] + attributes
      )
      let model = Samples.model(
        opset: opset, [node], inputs: [("x", .float, [.value(2), .value(4)])], outputs: ["y", "z"])
      let results = try Samples.run(model, Self.x)
      return ["y", "z"].map { results[$0]?.doubles ?? [] }
    }
    #expect(try parts(13, []) == [[1, -2, 5, -6], [3, 4, 7, 8]])
    #expect(try parts(11, [ONNXAttribute("split", .ints([1, 3]))]) == [[1, 5], [-2, 3, 4, -6, 7, 8]])
    #expect(try parts(18, [ONNXAttribute("num_outputs", .int(2))]) == [[1, -2, 5, -6], [3, 4, 7, 8]])
  }

  @Test func groupNormalizationPerGroup() throws {
    let image = Self.x.reshaped([1, 4, 2])
    func normalized(_ opset: Int, _ scale: Tensor, _ bias: Tensor) throws -> [Double] {
      try y(opset, "GroupNormalization", [("num_groups", .int(2))], image, operands: ["a": scale, "b": bias])
        .doubles
    }
    let old = try normalized(18, Tensor(f32: [2, 3]), Tensor(f32: [0, 1]))
    let new = try normalized(21, Tensor(f32: [2, 2, 3, 3]), Tensor(f32: [0, 0, 1, 1]))
    #expect(old == new)
  }

  @Test func castTargetsAreElementTypes() throws {
    #expect(try y(19, "Cast", [("to", .int(7))]).element == .i64)
    #expect(try y(13, "Cast", [("to", .int(10))]).element == .f16)
  }

  @Test(arguments: [
    ("MatMul", "matmul"), ("MatMulInteger", "matmul_integer"), ("MatMulNBits", "matmul_nbits"),
    ("GatherND", "gather_nd"),
    ("LRN", "lrn"), ("PRelu", "prelu"), ("IsNaN", "is_nan"), ("IsInf", "is_inf"), ("ReduceL1", "reduce_l1"),
    ("RMSNormalization", "rms_normalization"), ("QLinearMatMul", "qlinear_matmul"), ("CumSum", "cum_sum"),
    ("TopK", "top_k"), ("Col2Im", "col2im"), ("LSTM", "lstm"), ("ReduceLogSumExp", "reduce_log_sum_exp"),
    ("GroupQueryAttention", "group_query_attention"), ("SwiGLU", "swiglu"), ("Scatter", "scatter_elements"),
    ("HardSigmoid", "hard_sigmoid"), ("ConstantOfShape", "constant_of_shape"), ("QMoE", "qmoe"),
  ])
  func mnemonics(_ operation: String, _ mnemonic: String) {
    #expect(Mnemonic.mnemonic(of: operation) == mnemonic)
  }
}
