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
/// Blocks with ReLU, and those whose gates are cut off, leave out neurons that are 0. What decides that is computed
/// exactly, or, behind ReLU and where that reads less, of those neurons alone that a predictor finds: one by one, or in
/// groups of 8 that are active together (``CoactivationGroups``). With a recall of 1 nothing is predicted.
/// Others change their meaning, so they are left alone unless ``Options/budget`` says how far logits may move
/// (``NeuronBudget``), or ``Options/keep`` how many neurons stay: those with the largest exact gates, or of largest
/// products with up, for what their columns of down weigh; or, of a given number, those that a predictor finds where
/// that reads less.
///
/// Groups that are active for most tokens may be always computed (``CommonPath``). An order of neurons by either is
/// folded into the weights of all functions (``NeuronReordering``), where it saves bytes on held-out states.
public struct HireFeedForward: TryingPass {
  public struct Options: Sendable, Equatable {
    /// The share of active groups, or active neurons, that must be candidates, in every block.
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
        var changed = module
        if let order = choice.order { try reorder(&changed, index, order, context) }
        let ordered = choice.order.map(block.reordered) ?? block
        try rewrite(
          &changed, index, NeuronRewrite(ordered, choice, basis, states[index], index: index, pool), context)
        module = changed
        total.add(choice, block, options.pick)
      } catch {
        context.miss(graph[id], error.reason)
      }
    }
    if let budget = options.budget, let trial, !tried.isEmpty {
      try spend(NeuronBudget(budget: budget, blocks: tried, trial: trial), places, &module, &total, &context)
    }
    guard total.count > 0 else { return }
    context.count("blocks", by: total.count)
    for note in total.notes { context.note(note) }
    let wanted =
      options.budget.map { "KL of at most \($0) nats" }
      ?? options.keep.map { "keep \(Self.percent($0)) of the neurons" }
      ?? "recall of what is active >= \(options.recall)"
    context.measure(wanted: wanted, measured: total.measured)
    module.metadata["ffn"] = "hire"
  }

  // MARK: Choosing

  private struct Choices {
    var list: [(NeuronChoice, HeadBasis?)]
    var isTried = false
    var pick: NeuronPick?
  }

  /// What a block may become: one form, or those among which a trial chooses.
  private func choices(
    _ block: NeuronBlock, _ index: Int, _ pool: ThreadPool, _ context: inout PassContext
  ) throws(Miss) -> Choices {
    if block.activeGroups == 0, options.keep == nil, options.budget == nil, !block.hasZeros {
      throw Miss(
        "the model was not trained with groups of neurons; --ffn-budget or --ffn-keep says how many neurons stay"
      )
    }
    guard index < states.count else { throw Miss("there are no hidden states to choose neurons with") }
    guard states[index].width == block.width else {
      throw Miss("hidden states have \(states[index].width) numbers, the block reads \(block.width)")
    }
    if block.activeGroups > 0 {
      let (pick, basis) = try search(
        block, unitSize: block.groupSize, active: block.activeGroups, index, pool, &context)
      return try paying(Choices(list: [(pick.choice, basis)], pick: pick), block)
    }
    if let keep = options.keep {
      return try paying(
        Choices(list: [try kept(block, candidates: keep, active: 1, index, pool, &context)]), block)
    }
    if block.hasZeros {
      let (pick, basis) = try zeros(block, index, pool, &context)
      return try paying(Choices(list: [(pick.choice, basis)], pick: pick), block)
    }
    guard trial != nil else { throw Miss("there is nothing to try it with") }
    var list: [(NeuronChoice, HeadBasis?)] = []
    for (candidates, active) in NeuronBudget.shares {
      let found = try kept(block, candidates: candidates, active: active, index, pool, &context)
      if found.0.bytes < block.denseBytes { list.append(found) }
    }
    if list.isEmpty { throw Miss("no share of its neurons would read less than all") }
    return Choices(list: list, isTried: true)
  }

  private func paying(_ choices: Choices, _ block: NeuronBlock) throws(Miss) -> Choices {
    let bytes = choices.list[0].0.bytes
    guard bytes < block.denseBytes else {
      throw Miss(
        "it would not pay: \(Self.megabytes(bytes)) per token, the dense block reads"
          + " \(Self.megabytes(block.denseBytes))")
    }
    return choices
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
      isWeighed: true, bytes: block.exactBytes(candidates: candidates, active: active), recall: 1, interval: 0
    )
    // A predictor of what is small itself reads more than that.
    let first = isGated ? block.gateFormat : block.upFormat
    guard options.keep != nil, block.cutoff == nil, first.bitsPerWeight > 8,
      let (pick, basis) = try? search(block, unitSize: 1, active: active, index, pool, &context),
      pick.choice.bytes < exact.bytes
    else { return (exact, nil) }
    return (pick.choice, basis)
  }

  /// Neurons of a group by co-activation.
  private static let coactiveSize = 8

  /// All neurons that are not 0, as far as a predictor finds them where one pays.
  private func zeros(
    _ block: NeuronBlock, _ index: Int, _ pool: ThreadPool, _ context: inout PassContext
  ) throws(Miss) -> (NeuronPick, HeadBasis?) {
    let search = try NeuronSearch(block, unitSize: 1, most: nil, states[index], pool: pool)
    var (groupings, size) = ([search.asTheyLie], Self.coactiveSize)
    var lines = ["block \(index): ReLU; dense \(Self.megabytes(block.denseBytes))"]
    do throws(Miss) {
      groupings.append(try search.coactive(size: size))
      groupings.insert(search.neighbours(of: size), at: 1)
    } catch {
      lines.append("  neurons keep their order: \(error.reason)")
    }
    var choices = groupings.filter { $0.groupSize == 1 || $0.kind == .coactive }.map(search.exact)
    if options.recall < 1 { choices += search.findings(recall: options.recall, groupings).choices }
    guard let pick = NeuronPick(choices) else { preconditionFailure("neurons as they lie are a choice") }
    // The best of each kind.
    for isCoactive in [false, true] {
      for size in [1, size] {
        let best = choices.filter { $0.isCoactive == isCoactive && $0.groupSize == size }.min {
          $0.bytes < $1.bytes
        }
        if let best { lines.append("  \(Self.describe(best))") }
      }
    }
    context.explain(lines)
    return (pick, search.basis)
  }

  private func search(
    _ block: NeuronBlock, unitSize: Int, active: Int, _ index: Int, _ pool: ThreadPool,
    _ context: inout PassContext
  ) throws(Miss) -> (NeuronPick, HeadBasis?) {
    let search = try NeuronSearch(block, unitSize: unitSize, most: active, states[index], pool: pool)
    let found = search.findings(recall: options.recall, [search.asTheyLie])
    guard let pick = NeuronPick(found.choices) else {
      let text = found.best.map {
        "the best reaches \(Self.percent($0.recall)) +- \(Self.percent($0.interval))"
      }
      throw Miss(
        "no predictor finds \(Self.percent(options.recall)) of the active groups: \(text ?? "none fits")")
    }
    context.explain(
      [
        "block \(index): \(active) of \(block.neurons / unitSize) groups; dense \(Self.megabytes(block.denseBytes))"
      ]
        + found.choices.prefix(4).map { "  \(Self.describe($0))" }
        + ["  recall of 1, 1.5, 2 and 3 times as many candidates as active groups:"]
        + found.comparison.map { form, recalls in
          "    \(Self.describe(form)): \(recalls.map { Self.percent($0) }.joined(separator: " / "))"
        })
    return (pick, search.basis)
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
        total.add(block.choices[pick], block.block, nil)
      } else if let (choice, divergence) = zip(block.choices, block.divergences).first(where: { _ in true }) {
        context.miss(
          module.main.graph[block.node],
          "it would not pay: \(Self.megabytes(block.block.denseBytes - choice.bytes)) less per token cost a KL of"
            + " \(Self.nats(divergence)) nats, of \(budget.budget) for all blocks")
      }
    }
    if let divergence = outcome.divergence {
      total.divergence =
        "KL \(Self.nats(divergence)) nats on \(divergence.count) tokens held out, blocks by themselves"
        + " add up to \((outcome.sum * 1e5).rounded() / 1e5)"
    }
  }

  // MARK: Rewriting

  /// Gives the neurons of block `index` another order in all functions that have it.
  private func reorder(
    _ module: inout Module, _ index: Int, _ order: [Int], _ context: PassContext
  ) throws(Miss) {
    let name = "hire.ffn.\(index).order"
    module.constants[name] = Tensor(i64: order, [order.count])
    for place in module.functions.indices {
      let function = module.functions[place]
      guard place == 0 || Self.phases.contains(function.name) else { continue }
      let id = try Self.block(index, of: function)
      module.functions[place].graph = try NeuronReordering(order: order).replacing(
        id, of: function.graph, name, module.constants, context)
    }
  }

  private static let phases: Set = ["prefill", "decode", "block"]

  /// Dense block `index` of a function, in which those before it are replaced by now, or were left alone.
  private static func block(_ index: Int, of function: Module.Function) throws(Miss) -> NodeID {
    let graph = function.graph
    let blocks = graph.order.filter { ["feed_forward", "hire_feed_forward"].contains(graph[$0].operation) }
    guard index < blocks.count, graph[blocks[index]].operation == "feed_forward" else {
      throw Miss("function '\(function.name)' has other blocks than the whole model")
    }
    return blocks[index]
  }

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
      let id = try Self.block(index, of: module.functions[function])
      let graph = module.functions[function].graph
      graphs.append((function, try rewrite.replacing(id, of: graph, module.constants, context)))
    }
    for (function, graph) in graphs { module.functions[function].graph = graph }
  }

  // MARK: Words

  private static func describe(_ choice: NeuronChoice) -> String {
    let common = choice.commonGroups > 0 ? " (\(choice.commonGroups) common, p = \(choice.commonShare))" : ""
    let order = choice.isCoactive ? ", by co-activation" : ""
    return
      "\(choice.scan.map(describe) ?? "exact") -> \(choice.candidateGroups) groups of \(choice.groupSize)\(common)"
      + (choice.activeGroups.map { " -> \($0)" } ?? "")
      + "\(order): \(megabytes(choice.bytes)), recall \(percent(choice.recall)) +- \(percent(choice.interval))"
  }

  private static func describe(_ scan: NeuronScan) -> String {
    "\(scan.hasBasis ? "rank " : "all ")\(scan.rank) of \(scan.bits) bits\(scan.isOfGroups ? " by group" : "")"
  }

  static func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
  static func megabytes(_ bytes: Int) -> String { "\((Double(bytes) / 1e4).rounded() / 100) MB" }
  private static func nats(_ mean: RunningMean) -> String {
    "\((mean.mean * 1e6).rounded() / 1e6) +- \((mean.standardError * 1e6).rounded() / 1e6)"
  }
}
