import GraphIR
import Kernels
import Operators
import TestSupport
import Tensors
import Testing

@testable import Passes

/// The pass on a decoder of a cache and a head.
@Suite struct HireSoftmaxTests {
  private static let width = 96

  /// The table is embedding and head.
  private static func decoder(vocabulary: Int = 8192, softcap: Float = 0, reader: Bool = false) throws -> Module {
    var random = SeededGenerator(seed: 3)
    let numbers = (0..<(vocabulary * width)).map { _ in Float.random(in: -1...1, using: &random) }
    var builder = GraphBuilder(
      Graph(), constants: [:], operators: OperatorSet.standard, symbols: SymbolSource())
    let ids = builder.graph.addInput("input_ids", TensorType(.i64, [Dim("B"), Dim("S")]))
    let past = builder.graph.addInput("past", TensorType(.f32, [Dim("B"), Dim("P"), Dim(width)]))
    let table = builder.constant(Tensor(f32: numbers, [vocabulary, width]), name: "table")
    let x = try builder("embedding", ids, table)
    let present = try builder("cache_append", past, x, attributes: ["axis": .int(1)])
    let logits = try builder("lm_head", x, table, attributes: softcap > 0 ? ["softcap": .float(softcap)] : [:])
    builder.graph.outputs = [("logits", logits), ("present", present)]
    if reader { builder.graph.outputs.append(("best", try builder("arg_max", logits, attributes: ["axis": .int(2)]))) }
    return Module(functions: [Module.Function("main", builder.graph)], constants: builder.constants)
  }

  /// States in few directions of all, as those of language models are.
  private static func states() -> HiddenStates {
    var random = SeededGenerator(seed: 4)
    let directions = (0..<(8 * width)).map { _ in Float.random(in: -1...1, using: &random) }
    var rows: [Float] = []
    for _ in 0..<512 {
      let strengths = (0..<8).map { _ in Float.random(in: -2...2, using: &random) }
      for column in 0..<width { rows.append((0..<8).reduce(0) { $0 + strengths[$1] * directions[$1 * width + column] }) }
    }
    return HiddenStates(Tensor(f32: rows, [512, width]), fittedCount: 448, origin: "a test")
  }

  private static func run(_ module: inout Module, _ pass: HireSoftmax) throws -> PassRecord {
    try PassPipeline([SpecializePhases(), pass]).run(on: &module, operators: OperatorSet.standard)[1]
  }

  @Test func candidatesHaveTheLogitsOfTheDenseHead() throws {
    var module = try Self.decoder(softcap: 30)
    var options = HireSoftmax.Options()
    (options.k, options.recall) = (8, 0.95)
    let record = try Self.run(&module, HireSoftmax(options, states: Self.states(), threadCount: 2))
    #expect(record.misses.isEmpty, "\(record.misses)")
    #expect(record.budget?.measured.contains("top 1") == true)
    #expect(module.functions.map(\.name) == ["main", "decode", "block", "prefill", "decode_hire", "block_hire", "head"])
    let sparse = try #require(module.functions.first { $0.name == "decode_hire" })
    #expect(
      sparse.graph.outputs.map(\.name) == ["present", "candidate_logits", "candidate_ids", "log_normalizer", "hidden"])
    let head = try #require(module.functions.first { $0.name == "head" })
    #expect(head.graph.inputs.map { head.graph[$0].name } == ["hidden"] && head.bounds.values.contains(16))

    let inputs = ["input_ids": Tensor(i64: [77], [1, 1]), "past": Tensor(.f32, [1, 2, Self.width])]
    let found = try Interpreter(module).run(sparse, inputs: inputs)
    let hidden = try #require(found["hidden"])
    let logits = try #require(try Interpreter(module).run(head, inputs: ["hidden": hidden])["logits"]).doubles
    let candidates = try #require(found["candidate_logits"]).doubles
    for (id, logit) in zip(try #require(found["candidate_ids"]).integers, candidates) where id >= 0 {
      #expect(logit == logits[id])
    }
  }

  @Test(arguments: [
    (512, false, "it would not pay: "), (8192, true, "the logits are read by 'arg_max'"),
  ])
  func refusals(_ vocabulary: Int, _ reader: Bool, _ reason: String) throws {
    var module = try Self.decoder(vocabulary: vocabulary, reader: reader)
    let count = module.functions.count
    let record = try Self.run(&module, HireSoftmax(states: Self.states(), threadCount: 2))
    #expect(record.misses.first?.reason.contains(reason) == true, "\(record.misses)")
    #expect(module.functions.count == count + 3)
  }

  @Test func withoutHiddenStatesNothingIsDone() throws {
    var module = try Self.decoder()
    let record = try Self.run(&module, HireSoftmax())
    #expect(record.misses.first?.reason == "there are no hidden states to find a predictor with")
  }
}
