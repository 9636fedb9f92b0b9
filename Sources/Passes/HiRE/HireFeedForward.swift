public import GraphIR
import Kernels
import Operators
import Tensors

/// Computes the neurons of feed-forward blocks that matter, and no others (HiRE-FFN; HiRE, section 3).
///
///     @decode:  %y = feed_forward(%x, @up, @down) {group_size = 8, active_groups = 24}      ──►
///     @decode:  %y = hire_feed_forward(%x, @up, @down_rows, _, @scan, @projection) {candidate_groups = 36, ...}
///
/// in `decode` and `block`; `prefill` and `main` stay dense, since many tokens together need almost all neurons.
///
/// Blocks that were trained with groups keep their meaning, up to groups that the predictor misses: its form and the
/// number of candidates are searched for the fewest bytes that meet the recall on hidden states that were held out.
/// Other blocks change their meaning, so they are left alone unless ``Options/keep`` says how many neurons stay: gated
/// ones choose by their exact gates, those without by a predictor.
public struct HireFeedForward: CalibratedPass {
  public struct Options: Sendable, Equatable {
    /// The share of active groups that must be candidates, in every block.
    public var recall = 0.99
    /// The share of neurons that blocks without trained groups keep; nil leaves them dense.
    public var keep: Double?

    public init() {}
  }

  public let name = "hire-feed-forward"
  public let summary =
    "Computes only the neurons of feed-forward blocks that a predictor or their gates choose."
  public let fidelity = Fidelity.statistical
  public let calibratedCount = 4096
  private let options: Options
  private let states: [HiddenStates]
  private let threadCount: Int

  /// - Parameters:
  ///   - states: what each block reads, in the order of the blocks.
  ///   - threadCount: threads for the search.
  public init(_ options: Options = Options(), states: [HiddenStates] = [], threadCount: Int = 1) {
    (self.options, self.states, self.threadCount) = (options, states, threadCount)
  }

  public func calibrated(by states: [HiddenStates], threadCount: Int) -> any Pass {
    HireFeedForward(options, states: states, threadCount: threadCount)
  }

  /// What the blocks read. Blocks that are left alone, or whose gates choose, need no rows.
  public func taps(_ graph: Graph) -> [ValueID] {
    let blocks = Self.blocks(of: graph)
    let needsRows = blocks.contains { id in
      graph[id].attributes.int("active_groups", default: 0) > 0
        || options.keep != nil && (graph[id].operands.count < 4 || graph[id].operands[3] == nil)
    }
    return needsRows ? blocks.map { graph[$0].operands[0]! } : []
  }

  private static func blocks(of graph: Graph) -> [NodeID] {
    graph.order.filter { graph[$0].operation == "feed_forward" }
  }

  public func run(on module: inout Module, context: inout PassContext) throws {
    let graph = module.main.graph
    let pool = ThreadPool(threadCount: threadCount)
    let weights = WeightNumbers(graph: graph, constants: module.constants, operators: context.operators)
    var (recalls, bytes, dense) = ([Double](), 0, 0)
    for (index, id) in Self.blocks(of: graph).enumerated() {
      do throws(Miss) {
        let block = try NeuronBlock(graph[id], weights)
        let (choice, basis) = try choose(block, index, pool, &context)
        try rewrite(&module, index, Replacement(block, choice, basis, pool), context)
        context.count("blocks")
        recalls.append(choice.recall)
        bytes += choice.bytes
        dense += block.denseBytes
      } catch {
        context.miss(graph[id], error.reason)
      }
    }
    guard let least = recalls.min() else { return }
    let share = Double(bytes) / Double(max(1, dense))
    context.note(
      "HiRE FFN: \(recalls.count) blocks read \(Self.percent(share)) of their \(Self.megabytes(dense)), "
        + (options.keep == nil ? "find \(Self.percent(least)) of the active groups or more" : "by choice"))
    context.measure(
      wanted: options.keep.map { "keep \(Self.percent($0)) of the neurons" }
        ?? "recall of active groups >= \(options.recall)",
      measured: "\((least * 1e5).rounded() / 1e5) in the worst block, \(Self.percent(share)) of the bytes")
    module.metadata["ffn"] = "hire"
  }

  // MARK: Choosing

  private func choose(
    _ block: NeuronBlock, _ index: Int, _ pool: ThreadPool, _ context: inout PassContext
  ) throws(Miss) -> (NeuronChoice, HeadBasis?) {
    let isTrained = block.activeGroups > 0
    if !isTrained {
      guard let keep = options.keep else {
        throw Miss("the model was not trained with groups of neurons; --ffn-keep says how many neurons stay")
      }
      let active = max(1, Int((Double(block.neurons) * keep).rounded()))
      if block.gate != nil { return (try gated(block, active), nil) }
      return try search(block, groupSize: 1, active: active, index, pool, &context)
    }
    return try search(block, groupSize: block.groupSize, active: block.activeGroups, index, pool, &context)
  }

  private func gated(_ block: NeuronBlock, _ active: Int) throws(Miss) -> NeuronChoice {
    let bytes =
      block.neurons * block.gateFormat.rowBytes(block.width)
      + active * (block.upFormat.rowBytes(block.width) + BlockFormat.q8b32.rowBytes(block.outputs))
    guard bytes < block.denseBytes else { throw Self.doesNotPay(bytes, block) }
    return NeuronChoice(
      groupSize: 1, candidateGroups: active, activeGroups: active, scan: nil, bytes: bytes, recall: 1,
      interval: 0)
  }

  private func search(
    _ block: NeuronBlock, groupSize: Int, active: Int, _ index: Int, _ pool: ThreadPool,
    _ context: inout PassContext
  ) throws(Miss) -> (NeuronChoice, HeadBasis?) {
    guard index < states.count else { throw Miss("there are no hidden states to find a predictor with") }
    let search = try NeuronSearch(
      block, groupSize: groupSize, active: active, states[index], pool: pool)
    let (choices, best) = search.choices(recall: options.recall)
    guard let choice = choices.first else {
      let text = best.map { "the best reaches \(Self.percent($0.recall)) +- \(Self.percent($0.interval))" }
      throw Miss(
        "no predictor finds \(Self.percent(options.recall)) of the active groups: \(text ?? "none fits")")
    }
    context.explain(
      [
        "block \(index): \(active) of \(block.neurons / groupSize) groups; dense \(Self.megabytes(block.denseBytes))"
      ]
        + choices.prefix(4).map { "  \(Self.describe($0))" })
    guard choice.bytes < block.denseBytes else { throw Self.doesNotPay(choice.bytes, block) }
    return (choice, search.basis)
  }

  private static func doesNotPay(_ bytes: Int, _ block: NeuronBlock) -> Miss {
    Miss(
      "it would not pay: \(megabytes(bytes)) per token, the dense block reads \(megabytes(block.denseBytes))")
  }

  // MARK: Rewriting

  /// The constants and attributes of a block's new form.
  private struct Replacement {
    let constants: [(name: String, tensor: Tensor?)]
    let attributes: [String: AttributeValue]

    init(_ block: NeuronBlock, _ choice: NeuronChoice, _ basis: HeadBasis?, _ pool: ThreadPool) {
      let predictor = choice.scan.map { NeuronPredictor($0, first: block.first, basis: basis, pool: pool) }
      constants = [
        ("down", block.downRows(pool)), ("scan", predictor?.scan), ("projection", predictor?.projection),
      ]
      var attributes: [String: AttributeValue] = [
        "activation": .string(block.activation.rawValue), "group_size": .int(choice.groupSize),
        "candidate_groups": .int(choice.candidateGroups), "active_groups": .int(choice.activeGroups),
        "outputs": .int(block.outputs),
      ]
      if let scan = choice.scan {
        attributes["scan_rank"] = .int(scan.rank)
        attributes["scan_bits"] = .int(scan.bits)
      }
      if block.upFormat != .f32 { attributes["up_format"] = .string(block.upFormat.rawValue) }
      if block.gateFormat != .f32 { attributes["gate_format"] = .string(block.gateFormat.rawValue) }
      self.attributes = attributes
    }
  }

  /// Replaces block `index` where tokens are generated one by one or in small blocks.
  private func rewrite(
    _ module: inout Module, _ index: Int, _ replacement: Replacement, _ context: PassContext
  ) throws(Miss) {
    var graphs: [(function: Int, graph: Graph)] = []
    for (name, tensor) in replacement.constants { module.constants["hire.ffn.\(index).\(name)"] = tensor }
    for name in ["decode", "block"] {
      guard let function = module.functions.firstIndex(where: { $0.name == name }) else {
        throw Miss("there is no function '\(name)', which specialize-phases makes")
      }
      let graph = module.functions[function].graph
      // Those before it are replaced by now, or were left alone.
      let blocks = graph.order.filter { ["feed_forward", "hire_feed_forward"].contains(graph[$0].operation) }
      guard index < blocks.count, graph[blocks[index]].operation == "feed_forward" else {
        throw Miss("function '\(name)' has other blocks than the whole model")
      }
      graphs.append((function, try replaced(blocks[index], of: graph, index, replacement, module, context)))
    }
    for (function, graph) in graphs { module.functions[function].graph = graph }
  }

  private func replaced(
    _ id: NodeID, of graph: Graph, _ index: Int, _ replacement: Replacement, _ module: Module,
    _ context: PassContext
  ) throws(Miss) -> Graph {
    let node = graph[id]
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    var builder = GraphBuilder(
      graph, constants: module.constants, operators: context.operators, symbols: context.symbols)
    builder.position = id
    builder.location = node.location
    let added = replacement.constants.map { name, _ in
      let name = "hire.ffn.\(index).\(name)"
      return module.constants[name].map { builder.graph.addConstant(name, $0.type, content: nil) }
    }
    let operands = [
      operand(0), operand(1), added[0], operand(3), added[1], added[2], operand(4), operand(5), operand(6),
    ]
    do throws(OperatorError) {
      let result = try builder.add(
        "hire_feed_forward", operands, Attributes(replacement.attributes),
        names: [builder.graph[node.results[0]!].name])[0]!
      builder.graph.replaceUses(of: node.results[0]!, with: result)
    } catch {
      throw Miss("\(error)")
    }
    builder.graph.removeDeadNodes()
    return builder.graph
  }

  // MARK: Words

  private static func describe(_ choice: NeuronChoice) -> String {
    let scan = choice.scan.map { "\($0.hasBasis ? "rank " : "all ")\($0.rank) of \($0.bits) bits" } ?? "gates"
    return "\(scan) -> \(choice.candidateGroups) groups: \(megabytes(choice.bytes)), recall"
      + " \(percent(choice.recall)) +- \(percent(choice.interval))"
  }

  private static func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
  private static func megabytes(_ bytes: Int) -> String { "\((Double(bytes) / 1e4).rounded() / 100) MB" }
}
