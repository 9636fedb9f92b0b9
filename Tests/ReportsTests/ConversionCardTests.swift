import GraphIR
import PlanFormat
import Tensors
import TestSupport
import Testing

@testable import Reports

@Suite struct ConversionCardTests {
  /// A plan of a decoder with two layers, as fused as can be; the second has no window and no query and key
  /// norms.
  private func program() -> Program {
    var program = Program()
    program.model = [Entry("context", "1024")]
    program.weights = [
      Weight(name: "embed", element: .f32, shape: [100, 8], offset: 0, byteCount: 3200),
      Weight(name: "matrix", element: .f32, shape: [8, 8], offset: 3200, byteCount: 256),
      Weight(name: "scale", element: .f32, shape: [8], offset: 3456, byteCount: 32),
      Weight(name: "angles", element: .f32, shape: [1024, 2], offset: 3488, byteCount: 8192),
    ]
    for (name, sequence) in [("main", Dim("S")), ("decode", Dim(1))] {
      var builder = FunctionBuilder(name)
      let ids = builder.input("input_ids", TensorType(.i64, [1, sequence]))
      let (embed, matrix, scale, angles) = (
        builder.weight(0, TensorType(.f32, [100, 8])), builder.weight(1, TensorType(.f32, [8, 8])),
        builder.weight(2, TensorType(.f32, [8])), builder.weight(3, TensorType(.f32, [1024, 2]))
      )
      let row = TensorType(.f32, [1, sequence, 8])
      let cache = TensorType(.f32, [1, 2, Dim("P"), 4])
      var x = builder.step("embedding", [ids, embed], [row], ["scale": .float(2)])[0]
      var y = builder.step("rms_normalization", [x, scale], [row])[0]
      for layer in 0..<2 {
        let (keys, values) = (builder.input("k\(layer)", cache), builder.input("v\(layer)", cache))
        let norm = layer == 0 ? scale : -1
        let qkv = builder.step("linear", [y, matrix], [row])[0]
        let attention = builder.step(
          "self_attention", [qkv, keys, values, norm, norm, angles, angles], [row, cache, cache],
          ["num_heads": .int(4), "kv_num_heads": .int(2), "window": .int(layer == 0 ? 128 : 0)])
        builder.function.states += [
          .init(input: Int(keys), output: Int(attention[1]), axis: 2),
          .init(input: Int(values), output: Int(attention[2]), axis: 2),
        ]
        let o = builder.step("linear", [attention[0], matrix], [row])[0]
        let sum = builder.step("residual_normalization", [x, o, scale, -1, scale], [row, row])
        let f = builder.step(
          "feed_forward", [sum[1], matrix, matrix, matrix], [row], ["activation": .string("gelu_tanh")])[0]
        let next = builder.step("residual_normalization", [sum[0], f, scale], [row, row])
        (x, y) = (next[0], next[1])
      }
      _ = builder.step("cast", [y], [row])
      let logits = builder.step("lm_head", [y, embed], [TensorType(.f32, [1, sequence, 100])])[0]
      builder.function.outputs = [.init(name: "logits", value: Int(logits))]
      builder.function.bounds = name == "main" ? [:] : ["P": 1024]
      program.functions.append(builder.function)
    }
    return program
  }

  private func card(cacheByteCount: Int = 0, _ change: (inout Program) -> Void = { _ in }) -> ConversionCard {
    var program = program()
    change(&program)
    func miss(_ operation: String, _ reason: String) -> (String, PassMiss) {
      ("form-linear", PassMiss(operation: operation, location: "/model/\(operation)", reason: reason))
    }
    let misses =
      [miss("gemm", "factors, need plain 'x w + b'")]
      + (0..<3).map { _ in miss("matmul", "the constant is f16[4, 4], need f32 of rank 2") }
      + ["a", "b"].map { miss($0, "another reason") }
      + (0..<2).map { _ in
        miss(
          "softmax",
          "the mask is neither causal nor a window: with 9 past and 3 new positions, row 2 does not see key 4"
        )
      }
    return ConversionCard(
      program, nodesBefore: 80, misses: misses,
      notes: ["2 matrices lie on no grid and are q8b32: relative error 0.54 %, largest 0.61 %"],
      bandwidth: 40e9, threads: 2, cacheByteCount: cacheByteCount)
  }

  @Test func text() throws {
    let text = card().text
    #expect(text.split(separator: "\n").count <= 24)
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= TextTable.maximumColumns })
    try Golden.expect(text, named: "card.txt")
  }

  @Test func whatFitsInTheCacheIsNotLimitedByMemory() throws {
    let card = card(cacheByteCount: 1 << 20)
    #expect(card.tokensPerSecond == nil)
    #expect(card.text.contains("positions: fits in the cache of 1.05 MB\n"))
    #expect(try !JSONText.encode(card).contains("tokens_per_second"))
  }

  @Test func temporariesOfUnboundedFunctionsAreNotKnown() {
    let card = card { $0.functions.removeLast() }
    #expect(card.facts.memory.temporaries == nil)
    #expect(card.text.contains("and temporaries, whose size depends on the inputs: caches 131 kB"))
  }

  @Test func longTextIsBrokenBetweenWords() {
    #expect(TextTable.wrapped("one two three", to: 8) == ["one two", "three"])
    #expect(TextTable.wrapped("one two", to: 7) == ["one two"])
    #expect(TextTable.wrapped("aa, bb, cc dd", to: 11) == ["aa, bb,", "cc dd"])
    #expect(TextTable.wrapped("a, bb cc dd ee", to: 12) == ["a, bb cc dd", "ee"])
    #expect(TextTable.wrapped("abcdefgh ij", to: 3) == ["abc", "def", "gh", "ij"])
    #expect(TextTable.wrapped("", to: 3) == [""])
  }

  @Test func json() throws { try Golden.expect(try JSONText.encode(card()), named: "card.json") }

  @Test func layersAreTheRepetitionThatCoversMost() {
    func run(_ text: String) -> RepeatedRun? { RepeatedRun(in: text.map(String.init)) }
    func found(_ text: String) -> [Int]? { run(text).map { [$0.start, $0.length, $0.count] } }
    #expect(found("eabcabcabch") == [1, 3, 3])
    // The shortest of equal ones.
    #expect(found("xababababy") == [1, 2, 4])
    #expect(found("aaaa") == [0, 2, 2])
    // None, and one that covers less than half.
    #expect(found("abcdef") == nil && found("ababcdefghi") == nil)
    #expect(found("") == nil && found("a") == nil)
  }
}

/// Makes functions of a plan step by step.
private struct FunctionBuilder {
  var function: Function

  init(_ name: String) { function = Function(name: name) }

  private mutating func add(_ name: String, _ type: TensorType, _ place: Function.Place) -> Int32 {
    function.types.append(type)
    function.values.append(.init(name: name, type: function.types.count - 1, place: place))
    return Int32(function.values.count - 1)
  }

  mutating func input(_ name: String, _ type: TensorType) -> Int32 {
    let value = add(name, type, .external)
    function.inputs.append(.init(name: name, value: Int(value)))
    return value
  }

  mutating func weight(_ index: Int, _ type: TensorType) -> Int32 { add("w\(index)", type, .weight(index)) }

  mutating func step(
    _ kernel: String, _ operands: [Int32], _ results: [TensorType],
    _ attributes: [String: AttributeValue] = [:]
  ) -> [Int32] {
    let values = results.map { type in
      defer { function.slotCount += 1 }
      return add(kernel, type, .slot(function.slotCount))
    }
    function.steps.append(
      .init(
        kernel: kernel, operands: operands, results: values, attributes: Attributes(attributes), location: "",
        feedsState: false))
    return values
  }
}
