import GraphIR
import Kernels
import Operators
import Tensors
import TestSupport
import Testing

@testable import Passes

/// The pass on a decoder of a cache, feed-forward blocks and a head.
@Suite struct HireFeedForwardPassTests {
  static let width = 64, neurons = 512, groups = 64, active = 4

  /// A block of the decoder.
  struct Block {
    var activation = "relu_squared"
    var isGated = false
    var active = HireFeedForwardPassTests.active
    var cutoff: Float?
    /// Rows of up differ by what small codes do not show.
    var isFlat = false
    /// What is in the rows of up, and of the gate, beside noise.
    var planted: PlantedNeurons?
  }

  /// Blocks read directions that the embedding has; few groups answer to each.
  static func decoder(_ blocks: [Block]) throws -> Module {
    var random = SeededGenerator(seed: 3)
    func noise(_ count: Int, _ size: Float = 1) -> [Float] {
      (0..<count).map { _ in Float.random(in: -size...size, using: &random) }
    }
    var builder = GraphBuilder(
      Graph(), constants: [:], operators: OperatorSet.standard, symbols: SymbolSource())
    let ids = builder.graph.addInput("input_ids", TensorType(.i64, [Dim("B"), Dim("S")]))
    let past = builder.graph.addInput("past", TensorType(.f32, [Dim("B"), Dim("P"), Dim(width)]))
    let table = builder.constant(Tensor(f32: noise(97 * width), [97, width]), name: "table")
    var x = try builder("embedding", ids, table)
    let present = try builder("cache_append", past, x, attributes: ["axis": .int(1)])
    for (index, block) in blocks.enumerated() {
      var rows = noise(neurons * width)
      if let planted = block.planted { rows = planted.rows(neurons, width, &random) }
      if block.isFlat { for place in rows.indices { rows[place] = rows[place % width] + 1e-4 * rows[place] } }
      let up = builder.constant(Tensor(f32: rows, [neurons, width]), name: "up\(index)")
      var columns = noise(width * neurons, 0.01)
      if block.planted?.isOnGrid ?? false { columns = PlantedNeurons.onGrid(columns, neurons) }
      let down = builder.constant(Tensor(f32: columns, [width, neurons]), name: "down\(index)")
      let first = block.planted == nil ? noise(neurons * width) : rows
      let gate =
        block.isGated
        ? builder.constant(Tensor(f32: first, [neurons, width]), name: "gate\(index)") : nil
      let bias = block.planted?.bias.map {
        builder.constant(Tensor(f32: Array(repeating: $0, count: neurons), [neurons]), name: "bias\(index)")
      }
      var attributes: [String: AttributeValue] = ["activation": .string(block.activation)]
      if block.active > 0 {
        attributes["group_size"] = .int(neurons / groups)
        attributes["active_groups"] = .int(block.active)
      }
      if let cutoff = block.cutoff { attributes["cutoff"] = .float(cutoff) }
      let biases = block.isGated ? [nil, nil, bias] : [bias]
      x = try builder.add(
        "feed_forward", [x, up, down, gate] + (bias == nil ? [] : biases), Attributes(attributes))[0]!
    }
    let logits = try builder("lm_head", x, table)
    builder.graph.outputs = [("logits", logits), ("present", present)]
    return Module(functions: [Module.Function("main", builder.graph)], constants: builder.constants)
  }

  static func states(_ count: Int, heldOut: Int = 64) -> [HiddenStates] {
    var random = SeededGenerator(seed: 4)
    return (0..<count).map { _ in
      let total = 256 + heldOut
      var rows = (0..<(total * width)).map { _ in Float.random(in: -1...1, using: &random) }
      // What groups that are active for most tokens look for.
      for row in 0..<total { rows[row * width] = 1 }
      return HiddenStates(Tensor(f32: rows, [total, width]), fittedCount: 256, origin: "a test")
    }
  }

  static func run(_ module: inout Module, _ pass: HireFeedForward) throws -> PassRecord {
    try PassPipeline([SpecializePhases(), pass]).run(on: &module, operators: OperatorSet.standard)[1]
  }

  static func operations(_ module: Module, _ function: String) -> [String] {
    let graph = module.functions.first { $0.name == function }!.graph
    return graph.order.map { graph[$0].operation }.filter { $0.contains("feed_forward") }
  }

  /// Logits of one token by a function.
  static func logits(_ module: Module, _ name: String) throws -> [Double] {
    let inputs = ["input_ids": Tensor(i64: [77], [1, 1]), "past": Tensor(.f32, [1, 2, width])]
    let function = try #require(module.functions.first { $0.name == name })
    return try #require(try Interpreter(module).run(function, inputs: inputs)["logits"]).doubles
  }

  static func close(_ a: [Double], _ b: [Double], _ share: Double) -> Bool {
    let size = b.map(abs).max()!
    return zip(a, b).allSatisfy { abs($0 - $1) <= share * size }
  }

  @Test func trainedGroupsArePredicted() throws {
    var module = try Self.decoder([Block(), Block()])
    var options = HireFeedForward.Options()
    options.recall = 0.9999
    let pass = HireFeedForward(options, states: Self.states(2, heldOut: 256), threadCount: 2)
    #expect(pass.taps(module.main.graph).count == 2)
    let record = try Self.run(&module, pass)
    #expect(record.misses.isEmpty, "\(record.misses)")
    #expect(record.budget?.measured.contains("in the worst block") == true)
    for name in ["decode", "block"] {
      #expect(Self.operations(module, name) == ["hire_feed_forward", "hire_feed_forward"])
    }
    for name in ["main", "prefill"] {
      #expect(Self.operations(module, name) == ["feed_forward", "feed_forward"])
    }
    // Columns of down are rounded to 8 bits.
    #expect(Self.close(try Self.logits(module, "decode"), try Self.logits(module, "main"), 0.02))
  }

  /// The forms that blocks take, and what is left alone and why.
  @Test func formsOfBlocks() throws {
    var module = try Self.decoder([
      Block(), Block(activation: "relu", active: 0), Block(activation: "relu", isGated: true, active: 0),
      Block(activation: "gelu", active: 0), Block(active: 64), Block(isFlat: true),
      Block(activation: "gelu_tanh", isGated: true, active: 0, cutoff: 1.645),
      Block(activation: "relu", active: 0, planted: PlantedNeurons(bias: -4.5)),
    ])
    let record = try Self.run(&module, HireFeedForward(states: Self.states(8), threadCount: 2))
    let text = module.text.split(separator: "\n").filter {
      $0.contains("feed_forward(") || $0.hasPrefix("func")
    }
    let misses = record.misses.map { "// missed: \($0)" }
    try Golden.expect(
      (text.map(String.init) + misses).joined(separator: "\n") + "\n", named: "hire-feed-forward.txt")
  }

  /// Near misses: such groups are ranked by sums of h, not by those of |act|.
  @Test(arguments: [("relu_squared", true), ("silu", true), ("gelu", false)])
  func groupsThatAreRankedOtherwiseStay(_ activation: String, isGated: Bool) throws {
    for recall in [0.99, 1] {
      var module = try Self.decoder([Block(activation: activation, isGated: isGated)])
      var options = HireFeedForward.Options()
      options.recall = recall
      let record = try Self.run(&module, HireFeedForward(options, states: Self.states(1), threadCount: 2))
      let reason = try #require(record.misses.first).reason
      #expect(reason.contains("accepted are groups behind ReLU without gates"), "\(reason)")
      #expect(Self.operations(module, "decode") == ["feed_forward"])
    }
  }

  /// Blocks of one model may differ; those without groups stay as they are.
  @Test func blocksWithoutGroupsStayDense() throws {
    var module = try Self.decoder([
      Block(activation: "gelu", active: 0), Block(), Block(activation: "silu", isGated: true, active: 0),
    ])
    let record = try Self.run(&module, HireFeedForward(states: Self.states(3), threadCount: 2))
    #expect(Self.operations(module, "decode") == ["feed_forward", "hire_feed_forward", "feed_forward"])
    #expect(record.misses.count == 2)
    for miss in record.misses where miss.reason.contains("groups") {
      #expect(miss.reason.contains("--ffn-budget or --ffn-keep says how many neurons stay"))
    }
  }

  /// Gates of few bits choose themselves; those in f32 are predicted where few stay.
  @Test(arguments: [(BlockFormat.q5b32, 0.5), (.f32, 0.5), (.f32, 0.2)]) func gatesChooseWhereTheyAreAskedTo(
    _ format: BlockFormat, _ share: Double
  ) throws {
    var module = try Self.decoder([Block(activation: "silu", isGated: true, active: 0)])
    if format != .f32 {
      _ = try PassPipeline([QuantizeWeights(.format(format))]).run(
        on: &module, operators: OperatorSet.standard)
    }
    var options = HireFeedForward.Options()
    options.keep = share
    let pass = HireFeedForward(options, states: Self.states(1), threadCount: 2)
    #expect(pass.taps(module.main.graph).count == 1)
    let record = try Self.run(&module, pass)
    #expect(record.misses.isEmpty, "\(record.misses)")
    let graph = try #require(module.functions.first { $0.name == "decode" }).graph
    let node = try #require(graph.order.map { graph[$0] }.first { $0.operation == "hire_feed_forward" })
    #expect(node.attributes.int("active_groups") == Int((512 * share).rounded()))
    #expect((node.operands[4] == nil) == (share == 0.5))
    #expect(node.attributes.string("down_format", default: "") == format.rawValue)
    let (sparse, dense) = (try Self.logits(module, "decode"), try Self.logits(module, "main"))
    #expect(!Self.close(sparse, dense, 1e-3) && Self.close(sparse, dense, 0.5))
  }

  /// What ReLU and cut-offs make 0: columns of these are not read, and logits stay.
  @Test func zerosAreLeftOut() throws {
    var module = try Self.decoder([
      Block(activation: "relu", active: 0, planted: PlantedNeurons(bias: -2)),
      Block(activation: "relu_squared", isGated: true, active: 0),
      Block(activation: "gelu_tanh", isGated: true, active: 0, cutoff: 1.2),
    ])
    let record = try Self.run(&module, HireFeedForward(states: Self.states(3), threadCount: 2))
    #expect(record.misses.isEmpty, "\(record.misses)")
    #expect(Self.operations(module, "decode") == Array(repeating: "hire_feed_forward", count: 3))
    #expect(Self.close(try Self.logits(module, "decode"), try Self.logits(module, "main"), 0.02))
  }

  // MARK: Budgets

  /// Divergences as they are told, not run.
  private final class Trial: @unchecked Sendable {  // one test, one thread
    private(set) var runs: [(count: Int, isHeldOut: Bool)] = []
    let divergence: (_ variant: Int, _ isHeldOut: Bool) -> Double

    init(_ divergence: @escaping (_ variant: Int, _ isHeldOut: Bool) -> Double) {
      self.divergence = divergence
    }

    func run(_ variants: Module, _ isHeldOut: Bool) -> [RunningMean] {
      let count = variants.functions.count - 1
      runs.append((count, isHeldOut))
      return (0..<count).map { variant in
        var mean = RunningMean()
        mean.add(divergence(variant, isHeldOut))
        return mean
      }
    }
  }

  private static func spend(_ budget: Double, _ trial: Trial, _ module: inout Module) throws -> PassRecord {
    var options = HireFeedForward.Options()
    options.budget = budget
    let pass = HireFeedForward(options, states: states(2), threadCount: 2)
    #expect(pass.wantsTrial && pass.calibratedCount == 1024)
    return try run(&module, try #require(pass.trying(by: { trial.run($0, $1) }) as? HireFeedForward))
  }

  private static let gated = Block(activation: "silu", isGated: true, active: 0)

  /// The first block costs little, the second much: the budget goes to the first, and the card says why.
  @Test func aBudgetGoesWhereItSavesMost() throws {
    var module = try Self.decoder([Self.gated, Self.gated])
    // Shares of half of the neurons and less are faster than all.
    let choices = 2
    let trial = Trial { variant, isHeldOut in
      isHeldOut ? 0.01 : (variant < choices ? 0.001 : 0.1) * Double(variant % choices + 1)
    }
    let record = try Self.spend(0.02, trial, &module)
    #expect(trial.runs.map(\.isHeldOut) == [false, true] && trial.runs[0].count == 2 * choices)
    #expect(Self.operations(module, "decode") == ["hire_feed_forward", "feed_forward"])
    #expect(Self.operations(module, "main") == ["feed_forward", "feed_forward"])
    #expect(record.misses.count == 1)
    #expect(record.misses[0].reason.contains("cost a KL of 0.1 +- 0.0 nats, of 0.02 for all blocks"))
    #expect(record.budget?.wanted == "KL of at most 0.02 nats")
    #expect(record.budget?.measured.hasPrefix("KL 0.01") == true, "\(record.budget?.measured ?? "")")
    let graph = try #require(module.functions.first { $0.name == "decode" }).graph
    let node = try #require(graph.order.map { graph[$0] }.first { $0.operation == "hire_feed_forward" })
    #expect(node.attributes.int("candidate_groups") == 154, "the smallest share that saves anything")
  }

  /// What does not hold on other texts is taken back, part by part, and then altogether.
  @Test(arguments: [(1, ["hire_feed_forward", "feed_forward"]), (9, ["feed_forward", "feed_forward"])])
  func aBudgetThatDoesNotHoldIsTakenBack(_ bad: Int, _ operations: [String]) throws {
    var module = try Self.decoder([Self.gated, Self.gated])
    // Both blocks fit the whole budget, one fits half of it; so there are two choices for all multiples.
    let trial = Trial { variant, isHeldOut in
      isHeldOut ? (variant < bad ? 1 : 0.001) : variant < 2 ? 0.003 : 0.006
    }
    let record = try Self.spend(0.01, trial, &module)
    #expect(Self.operations(module, "decode") == operations, "\(trial.runs) \(record.misses)")
    #expect(record.misses.count == operations.count { $0 == "feed_forward" })
  }

  @Test func aBudgetNeedsATrial() throws {
    var module = try Self.decoder([Self.gated])
    var options = HireFeedForward.Options()
    options.budget = 0.1
    let record = try Self.run(&module, HireFeedForward(options, states: Self.states(1)))
    #expect(record.misses.first?.reason == "there is nothing to try it with")
  }

  /// Where a predictor cannot tell groups apart the pass refuses: it is judged on rows held out.
  @Test func aPredictorThatMissesIsRefused() throws {
    var module = try Self.decoder([Block(isFlat: true)])
    let record = try Self.run(&module, HireFeedForward(states: Self.states(1), threadCount: 2))
    let reason = try #require(record.misses.first).reason
    #expect(
      reason.hasPrefix("no predictor finds 99.0 % of the active groups: the best reaches "), "\(reason)")
    #expect(Self.operations(module, "decode") == ["feed_forward"])
  }

  /// All that gates keep is the dense block, which costs less.
  @Test func whatDoesNotPayStaysDense() throws {
    var module = try Self.decoder([Block(activation: "silu", isGated: true, active: 0), Block(active: 64)])
    var options = HireFeedForward.Options()
    options.keep = 1
    let record = try Self.run(&module, HireFeedForward(options, states: Self.states(2), threadCount: 2))
    #expect(Self.operations(module, "decode") == ["feed_forward", "feed_forward"])
    for miss in record.misses { #expect(miss.reason.hasPrefix("it would not pay: "), "\(miss.reason)") }
    #expect(record.misses.count == 2 && module.metadata["ffn"] == nil)
  }

  @Test func withoutRowsNothingIsPredicted() throws {
    var module = try Self.decoder([Block()])
    let record = try Self.run(&module, HireFeedForward())
    #expect(record.misses.first?.reason == "there are no hidden states to choose neurons with")
    #expect(Self.operations(module, "decode") == ["feed_forward"])
  }

  @Test func rowsOfAnotherWidthAreRefused() throws {
    var module = try Self.decoder([Block()])
    let other = HiddenStates(Tensor(.f32, [512, 8]), fittedCount: 256, origin: "a test")
    let record = try Self.run(&module, HireFeedForward(states: [other]))
    #expect(record.misses.first?.reason == "hidden states have 8 numbers, the block reads 64")
  }
}
