import Compiler
import Foundation
import GraphIR
import Kernels
import ONNXImport
import Operators
import PlanFormat
import Planning
import Tensors
import TestSupport
import Testing
import Tokenization

@testable import Generation
@testable import Passes

/// The pair of the repository: a small model that reads a large one's hidden states.
private enum Pair {
  static let small = URL(fileURLWithPath: Zoo.tandem8M).deletingLastPathComponent()
    .appending(path: "small.onnx").path

  static func joined() throws -> Module {
    var module = try Module(importing: Zoo.tandem8M)
    try module.join(small: try Module(importing: small))
    return module
  }

  static func split() throws -> Module {
    var module = try joined()
    _ = try PassPipeline([SplitTandem()]).run(on: &module, operators: OperatorSet.standard)
    return module
  }

  /// Both models in one graph: taps are edges, and finished tokens have the positions that the large one is given.
  static func inOneGraph() throws -> Module {
    let (large, small) = (try Module(importing: Zoo.tandem8M), try Module(importing: small))
    let symbols = [
      "sequence": "own", "past_sequence": "small_past", "total_sequence": "small_total",
      "tandem_sequence": "sequence",
    ]
    .mapValues { Dim($0) }
    var builder = GraphBuilder(
      large.main.graph, constants: large.constants, operators: OperatorSet.standard,
      symbols: SymbolSource(startingAt: 1000))
    var copies: [ValueID: ValueID] = [:]
    let graph = small.main.graph
    for input in graph.inputs {
      let (name, type) = (graph[input].name, graph[input].type)
      if name == "tandem_position_ids" {
        copies[input] = builder.graph.value(named: "position_ids")
      } else if let tap = builder.graph.outputs.first(where: { $0.name == name }) {
        copies[input] = tap.value
      } else {
        copies[input] = builder.graph.addInput(
          "small.\(name)", TensorType(type.element, type.shape.map { $0.substituting(symbols) }))
      }
    }
    for id in graph.order {
      let node = graph[id]
      let operands = node.operands.map { operand in
        operand.map { operand in
          graph.constantName(of: operand).map { builder.constant(small.constants[$0]!, name: "small.\($0)") }
            ?? copies[operand]!
        }
      }
      let results = try builder.add(
        node.operation, operands, node.attributes, names: node.results.map { $0.map { graph[$0].name } })
      for case let (old?, new?) in zip(node.results, results) { copies[old] = new }
    }
    builder.graph.outputs.removeAll { $0.name.hasPrefix("tandem_states") }
    builder.graph.outputs += graph.outputs.map { ("small.\($0.name)", copies[$0.value]!) }
    return Module(
      functions: [Module.Function("main", builder.graph)], constants: builder.constants,
      metadata: large.metadata)
  }

  /// A plan of the pair with some of the small model's own weights replaced.
  static func plan(replacing: (String, Tensor) -> Tensor?) throws -> CompiledPlan {
    var options = ConversionOptions(model: Zoo.tandem8M)
    (options.tandem, options.weights, options.maxContext) = (small, .f32, 512)
    return try plan(try Conversion(options).run().module, replacing: replacing)
  }

  static func plan(_ module: Module, replacing: (String, Tensor) -> Tensor? = { _, _ in nil }) throws
    -> CompiledPlan
  {
    var module = module
    var shared: Set<String> = []
    var own: Set<String> = []
    for function in module.functions {
      let names = Set(
        function.graph.order.flatMap { function.graph[$0].operands }.compactMap { $0 }
          .compactMap { function.graph.constantName(of: $0) })
      if ["small", "refresh"].contains(function.name) {
        own.formUnion(names)
      } else {
        shared.formUnion(names)
      }
    }
    for name in own.subtracting(shared) {
      if let tensor = replacing(name, module.constants[name]!) { module.constants[name] = tensor }
    }
    return try CompiledPlan(module, [Entry("context", "512"), Entry("draft", "tandem")])
  }
}

/// A pair whose small model has a router: one number per token, here the probability of its likeliest token.
@Suite struct TandemRouterTests {
  /// - Parameter isColumn: whether the output is `[batch, rows, 1]`, not `[batch, rows]`.
  private static func joined(isColumn: Bool) throws -> Module {
    var module = try Pair.joined()
    let index = try #require(module.functions.firstIndex { $0.name == TandemPair.joined })
    let graph = module.functions[index].graph
    let logits = try #require(graph.outputs.first { $0.name == "logits" }).value
    var builder = GraphBuilder(
      graph, constants: module.constants, operators: OperatorSet.standard,
      symbols: SymbolSource(unusedIn: module))
    let shares = try builder("softmax", logits, attributes: ["axis": .int(-1)])
    let best = try builder(
      "reduce_max", shares, builder.constant([-1]), attributes: ["keepdims": .int(isColumn ? 1 : 0)])
    builder.graph.outputs.append(("accept_probability", best))
    module.functions[index].graph = builder.graph
    module.constants = builder.constants
    return module
  }

  @Test(arguments: [false, true])
  func confidenceIsWhatTheRouterSays(isColumn: Bool) throws {
    var module = try Self.joined(isColumn: isColumn)
    let pipeline = PassPipeline([SplitTandem()])
    let notes = try pipeline.run(on: &module, operators: OperatorSet.standard)[0].notes
    #expect(notes.contains { $0.hasPrefix("tandem: 'accept_probability' of the small model is the router") })
    let outputs = module.functions.map { $0.graph.outputs.map(\.name) }
    #expect(outputs[1].contains("router") && !outputs[0].contains("router") && !outputs[2].contains("router"))

    let path = FileManager.default.temporaryDirectory.appending(path: "router-\(UUID().uuidString).ir").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try module.write(to: path)
    var options = ConversionOptions(model: path)
    (options.weights, options.maxContext) = (.f32, 512)
    let routed = try Pair.plan(try Conversion(options).run().module)
    let pool = ThreadPool(threadCount: 2)
    let decoder = try Generation.Decoder(routed.file, pool: pool)
    let drafter = try TandemDrafter(decoder, pool: pool)
    let prompt: [TokenID] = [0, 464, 3303, 9, 11]
    try decoder.reset(capacity: 64)
    try drafter.reset(capacity: 64)
    try decoder.feed(prompt, .last)
    try drafter.keep(prompt, prompt.count, decoder)
    try drafter.catchUp()
    let sampler = Sampler(SamplingOptions(), vocabularyCount: 16384)
    for token: TokenID in [5, 77, 1000] {
      let logits = try drafter.logits(behind: token)
      let largest = Double(LogitScan.maximum(logits))
      let expected = 1 / logits.reduce(0) { $0 + exp(Double($1) - largest) }
      drafter.forget(from: prompt.count)
      drafter.begin(after: token)
      let proposal = try #require(try drafter.propose(position: prompt.count + 1, sampler))
      drafter.forget(from: prompt.count)
      #expect(abs(Double(proposal.confidence) - expected) < 1e-4 && expected > 0.001)
    }
    // Texts are those of the large model.
    let drafting = try #require(try Drafting.make(.tandem, for: decoder, pool: pool))
    var generation = TokenGenerator.Options()
    generation.maxTokens = 40
    let plain = try TokenGenerator(decoder, context: 512).generate(prompt, generation)
    for length in [BlockLength.adaptive, .fixed(4)] {
      generation.blockLength = length
      let output = try TokenGenerator(decoder, context: 512, drafting: drafting).generate(prompt, generation)
      #expect(output.tokens == plain.tokens)
    }
  }
}

/// What the pass makes of a pair computes what the small graph does.
@Suite struct TandemSplitTests {
  @Test func theModuleHasThreeFunctions() throws {
    let module = try Pair.split()
    #expect(module.functions.map(\.name) == ["large", "small", "refresh"])
    let inputs = module.functions.map { function in function.graph.inputs.map { function.graph[$0].name } }
    let caches = (0..<3).flatMap { ["past_key_values.\($0).key", "past_key_values.\($0).value"] }
    #expect(inputs[1] == ["input_ids", "attention_mask", "position_ids"] + caches)
    #expect(inputs[2] == caches + (0..<3).map { "tandem_states.\($0)" } + ["tandem_position_ids"])
    #expect(module.functions[0].graph.outputs.suffix(3).map(\.name) == (0..<3).map { "tandem_states.\($0)" })
    #expect(
      module.metadata["tandem"] == """
        tandem_states.0 after layer 2 of 4 -> present.0.key, present.0.value; \
        tandem_states.1 after layer 3 of 4 -> present.1.key, present.1.value; \
        tandem_states.2 after layer 4 of 4 -> present.2.key, present.2.value
        """)
    #expect(module.violations(operators: OperatorSet.standard).isEmpty)
    // The text form comes back as it was.
    let printed = module.printed()
    let again = try Module(parsing: printed.text, operators: OperatorSet.standard, blobs: printed.blobs)
    #expect(again.text == printed.text && again.functions.count == 3)
  }

  /// Keys, values and logits over several blocks: the small graph at once, and the functions one after the other.
  @Test func functionsComputeWhatTheGraphDoes() throws {
    let module = try Pair.split()
    let whole = try Module(importing: Pair.small)
    let (small, refresh) = (module.functions[1], module.functions[2])
    var random = SeededGenerator(seed: 5)
    func states(_ rows: Int) -> [String: Tensor] {
      Dictionary(
        uniqueKeysWithValues: (0..<3).map { index in
          (
            "tandem_states.\(index)",
            Tensor(
              .f32, [1, rows, 256],
              values: (0..<rows * 256).map { _ in Float.random(in: -2...2, using: &random) })
          )
        })
    }
    var caches = Dictionary(
      uniqueKeysWithValues: (0..<3).flatMap { layer in
        ["key", "value"].map { ("past_key_values.\(layer).\($0)", Tensor(.f32, [1, 2, 0, 32])) }
      })
    var (past, worst) = (0, 0.0)
    for (rows, tokens) in [(5, 1), (3, 2), (1, 3)] {
      let taps = states(rows)
      let ids = (0..<tokens).map { ($0 * 7919 + past) % 16384 }
      func positions(_ start: Int, _ count: Int) -> Tensor {
        Tensor(i64: Array(start..<start + count), [1, count])
      }
      func mask(_ count: Int) -> Tensor { Tensor(i64: Array(repeating: 1, count: count), [1, count]) }
      let own: [String: Tensor] = [
        "input_ids": Tensor(i64: ids, [1, tokens]), "position_ids": positions(past + rows, tokens),
        "attention_mask": mask(past + rows + tokens),
      ]
      let finished = ["tandem_position_ids": positions(past, rows)]
      let expected = try Interpreter(whole).run(
        whole.main, inputs: own.merging(caches) { $1 }.merging(taps) { $1 }.merging(finished) { $1 })
      let refreshed = try Interpreter(module).run(
        refresh, inputs: caches.merging(taps) { $1 }.merging(finished) { $1 })
      caches = refreshed.reduce(into: [:]) {
        $0[$1.key.replacing("present", with: "past_key_values")] = $1.value
      }
      let found = try Interpreter(module).run(small, inputs: own.merging(caches) { $1 })
      for (name, tensor) in expected {
        let other = try #require(found[name])
        #expect(other.shape == tensor.shape, "\(name)")
        for (a, b) in zip(other.doubles, tensor.doubles) { worst = max(worst, abs(a - b)) }
      }
      past += rows
    }
    #expect(worst < 1e-4)
  }

  /// One graph of both comes apart at the hidden states.
  @Test func oneGraphIsCut() throws {
    var module = try Pair.inOneGraph()
    let record = try PassPipeline([SplitTandem()]).run(on: &module, operators: OperatorSet.standard)[0]
    let pair = try Pair.split()
    #expect(module.functions.map(\.name) == pair.functions.map(\.name))
    for (found, expected) in zip(module.functions, pair.functions) {
      #expect(found.graph.order.count == expected.graph.order.count, "\(found.name)")
    }
    let inputs = module.functions[2].graph.inputs.map { module.functions[2].graph[$0].name }
    #expect(
      Set(inputs.filter { !$0.hasPrefix("small.past") })
        == ["tandem_position_ids", "tandem_states.0", "tandem_states.1", "tandem_states.2"])
    #expect(
      record.notes.first?.hasPrefix(
        "one graph of two models, cut at tandem_states.0 f32[batch, sequence, 256],") == true)
    // A decoder alone has nothing to cut.
    var alone = try Module(importing: Zoo.tandem8M)
    _ = try PassPipeline([SplitTandem()]).run(on: &alone, operators: OperatorSet.standard)
    #expect(alone.functions.map(\.name) == ["main"])
  }

  @Test func whatDoesNotFitIsSaid() throws {
    let small = try Module(importing: Pair.small)
    func message(_ change: (inout Graph) -> Void) -> String {
      var (large, changed) = (try! Module(importing: Zoo.tandem8M), small)
      change(&large.main.graph)
      do throws(Miss) {
        try large.join(small: changed)
        changed = large
        return "\(changed.functions.count) functions"
      } catch {
        return error.reason
      }
    }
    #expect(message { _ in } == "2 functions")
    #expect(
      message { $0.outputs.removeAll { $0.name == "tandem_states.1" } }.contains(
        "the small model reads 'tandem_states.1' f32[batch, tandem_sequence, 256], the large one gives"))
    #expect(
      message { graph in
        let logits = graph.outputs[0].value
        graph.outputs[graph.outputs.count - 1].value = logits
      }.contains(
        "input 'tandem_states.2' of the small model is f32[batch, tandem_sequence, 256], the large one"))
    #expect(message { $0.outputs.removeFirst() }.contains("the large model has no output 'logits'"))
    var plain = try Module(importing: Zoo.tandem8M)
    #expect(throws: Miss.self) { try plain.join(small: try Module(importing: Zoo.tandem8M)) }
  }
}

/// Texts that the pair writes are those of the large model alone.
@Suite struct TandemDecodingTests {
  private static let pair = Result { try CompiledPlan(Zoo.tandem8M, small: Pair.small).file }

  private static let sampling: [SamplingOptions] = {
    var options = [SamplingOptions](repeating: SamplingOptions(), count: 4)
    for index in 1..<4 { (options[index].temperature, options[index].seed) = (0.9, UInt64(index)) }
    (options[2].topK, options[2].repetitionPenalty) = (20, 1.2)
    options[3].topP = 0.9
    return options
  }()

  private func prompt(_ count: Int, _ seed: Int) -> [TokenID] {
    [0] + (1..<count).map { TokenID(($0 * 7919 + seed * 104_729) % 16384) }
  }

  private func compare(
    _ plan: PlanFile, threads: Int, tokens: Int, prompts: [Int], lengths: [BlockLength]
  ) throws -> DraftStatistics {
    let pool = ThreadPool(threadCount: threads)
    let decoder = try Generation.Decoder(plan, pool: pool)
    // Whether that is what the plan says depends on the machine.
    let drafting = try #require(try Drafting.make(.tandem, for: decoder, pool: pool))
    var total = DraftStatistics()
    for (index, sampling) in Self.sampling.enumerated() {
      for count in prompts {
        var options = TokenGenerator.Options()
        (options.maxTokens, options.sampling, options.chunk) = (tokens, sampling, 48)
        let prompt = prompt(count, index)
        let plain = try TokenGenerator(decoder, context: 512).generate(prompt, options)
        for length in lengths {
          options.blockLength = length
          let output = try TokenGenerator(decoder, context: 512, drafting: drafting).generate(prompt, options)
          #expect(output.tokens == plain.tokens, "\(count) tokens of prompt, \(length), \(sampling)")
          #expect(output.ending == plain.ending)
          total.add(output.statistics.draft)
        }
      }
    }
    return total
  }

  @Test(arguments: [1, 2])
  func textsAreThoseOfTheLargeModel(threads: Int) throws {
    let lengths: [BlockLength] =
      threads == 1
      ? [.adaptive, .fixed(1), .fixed(4), .fixed(8)]
      : [.fixed(2), .fixed(3), .fixed(5), .fixed(6), .fixed(7)]
    // Shorter than a block, longer than a piece, and up to the end of the context.
    let total = try compare(
      try Self.pair.get(), threads: threads, tokens: 48, prompts: [1, 3, 70, 490], lengths: lengths)
    #expect(total.accepted > 0 && total.accepted < total.drafted)
  }

  /// A small model of chance slows down, and changes nothing.
  @Test func hostileSmallModelsChangeNothing() throws {
    var random = SeededGenerator(seed: 9)
    let chance = try Pair.plan { _, tensor in
      guard tensor.element == .f32, tensor.rank == 2 else { return nil }
      return Tensor(
        .f32, tensor.shape,
        values: (0..<tensor.elementCount).map { _ in Float.random(in: -1...1, using: &random) })
    }
    let total = try compare(
      chance.file, threads: 2, tokens: 40, prompts: [2, 60], lengths: [.adaptive, .fixed(1), .fixed(8)])
    #expect(total.accepted * 20 < total.drafted)
    // One whose numbers are none proposes nothing.
    let none = try Pair.plan { _, tensor in
      tensor.element == .f32 && tensor.rank == 1
        ? Tensor(.f32, tensor.shape, values: [Float](repeating: .nan, count: tensor.elementCount)) : nil
    }
    let silent = try compare(none.file, threads: 1, tokens: 20, prompts: [5], lengths: [.fixed(4)])
    #expect(silent.drafted == 0)
  }

  /// Without the hidden states fewer tokens are right.
  @Test func hiddenStatesHelp() throws {
    let blind = try Pair.plan { name, tensor in
      name.hasSuffix(".proj") ? Tensor(.f32, tensor.shape) : nil
    }
    let (seeing, unseeing) = try (
      compare(Self.pair.get(), threads: 2, tokens: 60, prompts: [40], lengths: [.fixed(5)]),
      compare(blind.file, threads: 2, tokens: 60, prompts: [40], lengths: [.fixed(5)])
    )
    func share(_ total: DraftStatistics) -> Double { Double(total.accepted) / Double(total.drafted) }
    // Some are right without them, by what else the small model knows.
    #expect(unseeing.accepted > 0 && share(seeing) > 1.5 * share(unseeing))
  }
}
