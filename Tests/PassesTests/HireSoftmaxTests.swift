import GraphIR
import Kernels
import Operators
import Tensors
import TestSupport
import Testing

@testable import Passes

/// The pass on a decoder of a cache and a head.
@Suite struct HireSoftmaxTests {
  private static let width = 96

  /// The table is embedding and head.
  private static func decoder(
    vocabulary: Int = 8192, softcap: Float = 0, reader: Bool = false, format: String? = nil
  ) throws -> Module {
    var random = SeededGenerator(seed: 3)
    let numbers = (0..<(vocabulary * width)).map { _ in Float.random(in: -1...1, using: &random) }
    var builder = GraphBuilder(
      Graph(), constants: [:], operators: OperatorSet.standard, symbols: SymbolSource())
    let ids = builder.graph.addInput("input_ids", TensorType(.i64, [Dim("B"), Dim("S")]))
    let past = builder.graph.addInput("past", TensorType(.f32, [Dim("B"), Dim("P"), Dim(width)]))
    let table = builder.constant(Tensor(f32: numbers, [vocabulary, width]), name: "table")
    let x = try builder("embedding", ids, table)
    let present = try builder("cache_append", past, x, attributes: ["axis": .int(1)])
    var attributes: [String: AttributeValue] = softcap > 0 ? ["softcap": .float(softcap)] : [:]
    var rows = table
    if let format {
      attributes["weight_format"] = .string(format)
      rows = try builder("pack_blocks", table, attributes: ["format": .string(format)])
    }
    let logits = try builder("lm_head", x, rows, attributes: attributes)
    builder.graph.outputs = [("logits", logits), ("present", present)]
    if reader {
      builder.graph.outputs.append(("best", try builder("arg_max", logits, attributes: ["axis": .int(2)])))
    }
    return Module(functions: [Module.Function("main", builder.graph)], constants: builder.constants)
  }

  /// States in few directions of all, as those of language models are.
  private static func states() -> HiddenStates {
    var random = SeededGenerator(seed: 4)
    let directions = (0..<(8 * width)).map { _ in Float.random(in: -1...1, using: &random) }
    var rows: [Float] = []
    for _ in 0..<512 {
      let strengths = (0..<8).map { _ in Float.random(in: -2...2, using: &random) }
      for column in 0..<width {
        rows.append((0..<8).reduce(0) { $0 + strengths[$1] * directions[$1 * width + column] })
      }
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
    #expect(
      module.functions.map(\.name) == [
        "main", "decode", "block", "prefill", "decode_hire", "block_hire", "head",
      ])
    let sparse = try #require(module.functions.first { $0.name == "decode_hire" })
    #expect(
      sparse.graph.outputs.map(\.name) == [
        "present", "candidate_logits", "candidate_ids", "log_normalizer", "hidden",
      ])
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

  /// What `certify` lists is what the dense head says, at a threshold in the middle of few and of all.
  @Test func boundsListWhatReachesAThreshold() throws {
    var module = try Self.decoder(softcap: 30, format: "q8b32")
    var options = HireSoftmax.Options()
    (options.k, options.recall, options.bounds) = (8, 0.95, .required)
    let record = try Self.run(&module, HireSoftmax(options, states: Self.states(), threadCount: 2))
    #expect(record.misses.isEmpty, "\(record.misses)")
    #expect(
      record.notes.contains { $0.hasPrefix("HiRE bounds: the high nibbles of the head in q8n32, ") },
      "\(record.notes)")
    #expect(
      module.functions.map(\.name) == [
        "main", "decode", "block", "prefill", "decode_hire", "block_hire", "head", "certify",
        "certify_shifted",
      ])
    func function(_ name: String) throws -> Module.Function {
      try #require(module.functions.first { $0.name == name })
    }
    let interpreter = Interpreter(module)
    let states = Self.states().rows
    let (rows, vocabulary) = (2, 8192)
    let last = Array(states.array(of: Float.self).suffix(rows * Self.width))
    let hidden = Tensor(f32: last, [1, rows, Self.width])
    let logits = try #require(try interpreter.run(function("head"), inputs: ["hidden": hidden])["logits"])
      .doubles
    let shift = Tensor(f32: (0..<rows * vocabulary).map { Float($0 % 7) / 4 }, [1, rows, vocabulary])
    for (name, shifts) in [("certify", logits.map { _ in 0 }), ("certify_shifted", shift.doubles)] {
      let raised = zip(logits, shifts).map { $0 + $1 }
      let thresholds = (0..<rows).map { raised[($0 * vocabulary)..<(($0 + 1) * vocabulary)].sorted(by: >)[2] }
      var inputs = [
        "hidden": hidden, "threshold": Tensor(f32: thresholds.map { Float($0).nextDown }, [1, rows]),
      ]
      if name == "certify_shifted" { inputs["shift"] = shift }
      let found = try interpreter.run(function(name), inputs: inputs)
      let (ids, values) = (
        try #require(found["survivor_ids"]).integers, try #require(found["survivor_logits"]).doubles
      )
      for row in 0..<rows {
        let places = (row * ids.count / rows..<(row + 1) * ids.count / rows).filter { ids[$0] >= 0 }
        let listed = places.map { row * vocabulary + ids[$0] }
        let reached = (row * vocabulary..<(row + 1) * vocabulary).filter { raised[$0] >= thresholds[row] }
        #expect(Set(reached).isSubset(of: listed) && listed.count == found["survivor_count"]?.integers[row])
        for (place, index) in zip(places, listed) { #expect(values[place] == logits[index]) }
      }
    }
  }

  /// There is nothing smaller to read bounds from.
  @Test func headsOfTheSmallestFormatHaveNoBounds() throws {
    var module = try Self.decoder(format: "q4b32")
    var options = HireSoftmax.Options()
    (options.k, options.recall, options.bounds) = (8, 0.95, .required)
    let record = try Self.run(&module, HireSoftmax(options, states: Self.states(), threadCount: 2))
    #expect(
      record.misses.first?.reason == "no format is smaller than 'q4b32', which bounds are to be read from")
    #expect(!module.functions.contains { $0.name == "certify" || $0.name == "decode_hire" })
  }

  @Test func withoutHiddenStatesNothingIsDone() throws {
    var module = try Self.decoder()
    let record = try Self.run(&module, HireSoftmax())
    #expect(record.misses.first?.reason == "there are no hidden states to find a predictor with")
  }
}
