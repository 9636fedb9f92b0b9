public import GraphIR
import Kernels
import Operators
import Tensors

/// Computes the neurons of feed-forward blocks that matter, and no others (HiRE-FFN; HiRE, section 3).
///
///     @decode:  %y = feed_forward(%x, @up, @down) {group_size = 8, active_groups = 24}      ──►
///     @decode:  %y = hire_feed_forward(%x, @up, @columns, _, @scan, @projection) {candidate_groups = 36, ...}
///
/// in `decode` and `block`; `prefill` and `main` stay dense, since many tokens together need almost all neurons. So
/// `down` is stored twice there: by rows for the dense block, by columns for single neurons.
///
/// Blocks that were trained with groups keep their meaning, up to groups that the predictor misses: its form and the
/// number of candidates are searched for the fewest bytes that meet the recall on hidden states that were held out.
/// Blocks with ReLU, and those whose gates are cut off, keep theirs entirely: neurons that are 0 are left out. Others change theirs, so they are left
/// alone unless ``Options/budget`` says how far logits may move (``NeuronBudget``), or ``Options/keep`` how many neurons
/// stay: those with the largest exact gates, or of largest products with up, for what their columns of down weigh; or,
/// of a given number, those that a predictor finds where that reads less.
public struct HireFeedForward: TryingPass {
  public struct Options: Sendable, Equatable {
    /// The share of active groups that must be candidates, in every block.
    public var recall = 0.99
    /// The share of neurons that blocks without trained groups keep; nil leaves them dense.
    public var keep: Double?
    /// How far the logits may be from those of the dense model: mean KL in nats; nil leaves blocks without trained
    /// groups dense.
    public var budget: Double?

    public init() {}
  }

  public let name = "hire-feed-forward"
  public let summary =
    "Computes only the neurons of feed-forward blocks that a predictor or their gates choose."
  public let fidelity = Fidelity.statistical
  /// Predictors need more rows than means over them do.
  public var calibratedCount: Int { options.keep == nil && options.budget == nil ? 4096 : 1024 }
  private var options: Options
  private var states: [HiddenStates]
  private var threadCount: Int
  private var trial: VariantTrial?

  /// - Parameters:
  ///   - states: what each block reads, in the order of the blocks.
  ///   - threadCount: threads for the search.
  ///   - trial: what a budget is measured with.
  public init(
    _ options: Options = Options(), states: [HiddenStates] = [], threadCount: Int = 1,
    trial: VariantTrial? = nil
  ) {
    (self.options, self.states, self.threadCount, self.trial) = (options, states, threadCount, trial)
  }

  public func calibrated(by states: [HiddenStates], threadCount: Int) -> any Pass {
    HireFeedForward(options, states: states, threadCount: threadCount, trial: trial)
  }

  public var wantsTrial: Bool { options.budget != nil }

  public func trying(by trial: @escaping VariantTrial) -> any Pass {
    HireFeedForward(options, states: states, threadCount: threadCount, trial: trial)
  }

  /// What the blocks read, where any is to be changed.
  public func taps(_ graph: Graph) -> [ValueID] {
    let blocks = Self.blocks(of: graph)
    return blocks.contains { needsRows(graph[$0]) } ? blocks.map { graph[$0].operands[0]! } : []
  }

  private func needsRows(_ node: Node) -> Bool {
    node.attributes.int("active_groups", default: 0) > 0 || Self.hasZeros(node) || options.keep != nil
      || options.budget != nil
  }

  /// Whether neurons are exactly 0 often.
  private static func hasZeros(_ node: Node) -> Bool {
    node.attributes["cutoff"] != nil
      || ["relu", "relu_squared"].contains(node.attributes.string("activation", default: ""))
  }

  private static func blocks(of graph: Graph) -> [NodeID] {
    graph.order.filter { graph[$0].operation == "feed_forward" }
  }

  public func run(on module: inout Module, context: inout PassContext) throws {
    let graph = module.main.graph
    let pool = ThreadPool(threadCount: threadCount)
    let weights = WeightNumbers(graph: graph, constants: module.constants, operators: context.operators)
    var total = NeuronTotal()
    var tried: [NeuronBudget.Block] = []
    var places: [Int] = []
    for (index, id) in Self.blocks(of: graph).enumerated() {
      do throws(Miss) {
        let block = try NeuronBlock(graph[id], weights)
        let options = try choices(block, index, pool, &context)
        if options.isTried {
          tried.append(Self.tried(id, block, options.list, states[index], index, pool))
          places.append(index)
          continue
        }
        let (choice, basis) = options.list[0]
        try rewrite(&module, index, NeuronRewrite(block, choice, basis, states[index], index: index, pool), context)
        total.add(choice, block)
      } catch {
        context.miss(graph[id], error.reason)
      }
    }
    if let budget = options.budget, let trial, !tried.isEmpty {
      try spend(NeuronBudget(budget: budget, blocks: tried, trial: trial), places, &module, &total, &context)
    }
    guard total.count > 0 else { return }
    context.count("blocks", by: total.count)
    context.note(total.note)
    let wanted = options.budget.map { "KL of at most \($0) nats" }
      ?? options.keep.map { "keep \(Self.percent($0)) of the neurons" }
      ?? "recall of active groups >= \(options.recall)"
    context.measure(wanted: wanted, measured: total.measured)
    module.metadata["ffn"] = "hire"
  }

  // MARK: Choosing

  private typealias Choices = (list: [(NeuronChoice, HeadBasis?)], isTried: Bool)

  /// What a block may become: one form, or those among which a trial chooses.
  private func choices(
    _ block: NeuronBlock, _ index: Int, _ pool: ThreadPool, _ context: inout PassContext
  ) throws(Miss) -> Choices {
    if block.activeGroups == 0, options.keep == nil, options.budget == nil, !block.hasZeros {
      throw Miss(
        "the model was not trained with groups of neurons; --ffn-budget or --ffn-keep says how many neurons stay")
    }
    guard index < states.count else { throw Miss("there are no hidden states to choose neurons with") }
    guard states[index].width == block.width else {
      throw Miss("hidden states have \(states[index].width) numbers, the block reads \(block.width)")
    }
    if block.activeGroups > 0 {
      let found = try search(
        block, groupSize: block.groupSize, active: block.activeGroups, index, pool, &context)
      guard found.0.bytes < block.denseBytes else { throw Self.doesNotPay(found.0.bytes, block) }
      return ([found], false)
    }
    if let keep = options.keep {
      let found = try kept(block, candidates: keep, active: 1, index, pool, &context)
      guard found.0.bytes < block.denseBytes else { throw Self.doesNotPay(found.0.bytes, block) }
      return ([found], false)
    }
    if block.hasZeros {
      let choice = zeros(block, states[index], pool)
      guard choice.bytes < block.denseBytes else { throw Self.doesNotPay(choice.bytes, block) }
      return ([(choice, nil)], false)
    }
    guard trial != nil else { throw Miss("there is nothing to try it with") }
    var list: [(NeuronChoice, HeadBasis?)] = []
    for (candidates, active) in NeuronBudget.shares {
      let found = try kept(block, candidates: candidates, active: active, index, pool, &context)
      if found.0.bytes < block.denseBytes { list.append(found) }
    }
    if list.isEmpty { throw Miss("no share of its neurons would read less than all") }
    return (list, true)
  }

  /// Some of the neurons, by exact gates or a predictor.
  private func kept(
    _ block: NeuronBlock, candidates: Double, active: Double, _ index: Int, _ pool: ThreadPool,
    _ context: inout PassContext
  ) throws(Miss) -> (NeuronChoice, HeadBasis?) {
    let candidates = max(1, Int((Double(block.neurons) * candidates).rounded()))
    let isGated = block.gate != nil
    // Without gates candidates are known exactly, and cost nothing.
    let active = max(1, Int((Double(candidates) * active).rounded()))
    let exact = NeuronChoice(
      groupSize: 1, candidateGroups: isGated ? candidates : active, activeGroups: active, scan: nil,
      isWeighed: true, bytes: block.exactBytes(candidates: candidates, active: active), recall: 1, interval: 0)
    // A predictor of what is small itself reads more than that.
    let first = isGated ? block.gateFormat : block.upFormat
    guard options.keep != nil, block.cutoff == nil, first.bitsPerWeight > 8, let found = try? search(block, groupSize: 1, active: active, index, pool, &context),
      found.0.bytes < exact.bytes
    else { return (exact, nil) }
    return found
  }

  /// All neurons that are not 0.
  private func zeros(_ block: NeuronBlock, _ states: HiddenStates, _ pool: ThreadPool) -> NeuronChoice {
    let active = NeuronSearch.activeCount(block, states, pool)
    return NeuronChoice(
      groupSize: 1, candidateGroups: block.neurons, activeGroups: block.neurons, scan: nil,
      bytes: block.exactBytes(candidates: active, active: active), recall: 1, interval: 0)
  }

  private func search(
    _ block: NeuronBlock, groupSize: Int, active: Int, _ index: Int, _ pool: ThreadPool,
    _ context: inout PassContext
  ) throws(Miss) -> (NeuronChoice, HeadBasis?) {
    let search = try NeuronSearch(
      block, groupSize: groupSize, active: active, states[index], pool: pool)
    let found = search.findings(recall: options.recall)
    guard let choice = found.choices.first else {
      let text = found.best.map { "the best reaches \(Self.percent($0.recall)) +- \(Self.percent($0.interval))" }
      throw Miss(
        "no predictor finds \(Self.percent(options.recall)) of the active groups: \(text ?? "none fits")")
    }
    context.explain(
      [
        "block \(index): \(active) of \(block.neurons / groupSize) groups; dense \(Self.megabytes(block.denseBytes))"
      ]
        + found.choices.prefix(4).map { "  \(Self.describe($0))" }
        + ["  recall of 1, 1.5, 2 and 3 times as many candidates as active groups:"]
        + found.comparison.map { form, recalls in
          "    \(Self.describe(form)): \(recalls.map { Self.percent($0) }.joined(separator: " / "))"
        })
    return (choice, search.basis)
  }

  private static func doesNotPay(_ bytes: Int, _ block: NeuronBlock) -> Miss {
    Miss(
      "it would not pay: \(megabytes(bytes)) per token, the dense block reads \(megabytes(block.denseBytes))")
  }

  // MARK: Spending a budget

  /// The forms of a block that share what they can.
  private static func tried(
    _ id: NodeID, _ block: NeuronBlock, _ choices: [(NeuronChoice, HeadBasis?)], _ states: HiddenStates,
    _ index: Int, _ pool: ThreadPool
  ) -> NeuronBudget.Block {
    let (down, importance) = (block.downColumns(pool), block.importance(states, pool))
    let rewrites = choices.map { choice, basis in
      NeuronRewrite(
        block, choice, index: index, down: down,
        predictor: choice.scan.map { NeuronPredictor($0, first: block.first, basis: basis, pool: pool) },
        importance: choice.isWeighed ? importance : nil)
    }
    return NeuronBudget.Block(node: id, block: block, choices: choices.map(\.0), rewrites: rewrites)
  }

  private func spend(
    _ budget: NeuronBudget, _ places: [Int], _ module: inout Module, _ total: inout NeuronTotal,
    _ context: inout PassContext
  ) throws {
    var budget = budget
    let outcome = try budget.run(on: module, context)
    for (index, (block, pick)) in zip(places, zip(budget.blocks, outcome.picks)) {
      context.explain(
        ["block \(index): dense \(Self.megabytes(block.block.denseBytes))"]
          + zip(block.choices, block.divergences).enumerated().map { number, option in
            "  \(Self.describe(option.0)), KL \(Self.nats(option.1))\(number == pick ? " <-" : "")"
          })
      if let pick {
        try rewrite(&module, index, block.rewrites[pick], context)
        total.add(block.choices[pick], block.block)
      } else if let (choice, divergence) = zip(block.choices, block.divergences).first(where: { _ in true }) {
        context.miss(
          module.main.graph[block.node],
          "it would not pay: \(Self.megabytes(block.block.denseBytes - choice.bytes)) less per token cost a KL of"
            + " \(Self.nats(divergence)) nats, of \(budget.budget) for all blocks")
      }
    }
    if let divergence = outcome.divergence {
      total.divergence = "KL \(Self.nats(divergence)) nats on \(divergence.count) tokens held out, blocks by themselves"
        + " add up to \((outcome.sum * 1e5).rounded() / 1e5)"
    }
  }

  // MARK: Rewriting

  /// Replaces block `index` where tokens are generated one by one or in small blocks.
  private func rewrite(
    _ module: inout Module, _ index: Int, _ rewrite: NeuronRewrite, _ context: PassContext
  ) throws(Miss) {
    var graphs: [(function: Int, graph: Graph)] = []
    rewrite.addConstants(to: &module.constants)
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
      graphs.append((function, try rewrite.replacing(blocks[index], of: graph, module.constants, context)))
    }
    for (function, graph) in graphs { module.functions[function].graph = graph }
  }

  // MARK: Words

  private static func describe(_ choice: NeuronChoice) -> String {
    "\(choice.scan.map(describe) ?? "exact") -> \(choice.candidateGroups) groups -> \(choice.activeGroups): \(megabytes(choice.bytes)), recall"
      + " \(percent(choice.recall)) +- \(percent(choice.interval))"
  }

  private static func describe(_ scan: NeuronScan) -> String {
    "\(scan.hasBasis ? "rank " : "all ")\(scan.rank) of \(scan.bits) bits"
  }

  static func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
  static func megabytes(_ bytes: Int) -> String { "\((Double(bytes) / 1e4).rounded() / 100) MB" }
  private static func nats(_ mean: RunningMean) -> String {
    "\((mean.mean * 1e6).rounded() / 1e6) +- \((mean.standardError * 1e6).rounded() / 1e6)"
  }
}

/// What all rewritten blocks come to.
struct NeuronTotal {
  private(set) var count = 0
  private var recall = 1.0
  private var bytes = 0, dense = 0
  /// What a budget's trial said.
  var divergence: String?

  mutating func add(_ choice: NeuronChoice, _ block: NeuronBlock) {
    count += 1
    recall = min(recall, choice.recall)
    bytes += choice.bytes
    dense += block.denseBytes
  }

  private var share: String { HireFeedForward.percent(Double(bytes) / Double(max(1, dense))) }

  var note: String {
    "HiRE FFN: \(count) blocks read \(share) of their \(HireFeedForward.megabytes(dense)), "
      + (divergence ?? "find \(HireFeedForward.percent(recall)) of the active groups or more")
  }

  var measured: String {
    "\(divergence ?? "\((recall * 1e5).rounded() / 1e5) in the worst block"), \(share) of the bytes"
  }
}
