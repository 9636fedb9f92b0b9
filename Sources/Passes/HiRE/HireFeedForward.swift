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
/// number of candidates are searched for the least time (``WeightTraffic``) that meets the recall on
/// hidden states that were held out.
/// Blocks with ReLU, and those whose gates are cut off, leave out neurons that are 0. What decides that is computed
/// exactly: of all, or, behind ReLU and where that costs less, of those that upper bounds do not prove to be 0
/// (``NeuronBounds``); or, where that is faster still, of those that a predictor finds: one by one, or in groups of 8
/// that are active together (``CoactivationGroups``). With a recall of 1 nothing is predicted, in blocks with trained
/// groups neither: then the pass only adds up in another order.
/// Others change their meaning, so they are left alone unless ``Options/budget`` says how far logits may move
/// (``NeuronBudget``), or ``Options/keep`` how many neurons stay: those with the largest exact gates, or of largest
/// products with up, for what their columns of down weigh; or, of a given number, those that a predictor finds where
/// that is faster.
///
/// Groups that are active for most tokens may be always computed (``CommonPath``). An order of neurons by either is
/// folded into the weights of all functions (``NeuronReordering``), where it saves time on held-out states.
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
  public var fidelity: Fidelity {
    options.recall == 1 && options.keep == nil && options.budget == nil ? .rounding : .statistical
  }
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
    if node.attributes.int("active_groups", default: 0) > 0 { return options.recall < 1 }
    return Self.hasZeros(node) || options.keep != nil || options.budget != nil
  }

  /// Whether neurons are exactly 0 often.
  private static func hasZeros(_ node: Node) -> Bool {
    node.attributes["cutoff"] != nil
      || Activation(rawValue: node.attributes.string("activation", default: ""))?.isZeroBelowZero ?? false
  }

  private static func blocks(of graph: Graph) -> [NodeID] {
    graph.order.filter { graph[$0].operation == "feed_forward" }
  }

  public func run(on module: inout Module, context: inout PassContext) throws {
    let graph = module.main.graph
    let pool = ThreadPool(threadCount: threadCount)
    let weights = WeightNumbers(graph: graph, constants: module.constants, operators: context.operators)
    var total = NeuronTotal(options)
    var tried: [NeuronBudget.Block] = []
    var places: [Int] = []
    for (index, id) in Self.blocks(of: graph).enumerated() {
      do throws(Miss) {
        let block = try NeuronBlock(graph[id], weights)
        let decision = try NeuronDecision(
          block, options, states, index: index, canTry: trial != nil, pool)
        context.explain(decision.lines)
        if let refusal = decision.refusal { throw Miss(refusal) }
        if decision.reason == .budget {
          tried.append(Self.tried(id, block, decision.forms.map(\.choice), states[index], index, pool))
          places.append(index)
          continue
        }
        let (choice, basis) = decision.forms[0]
        var changed = module
        if let order = choice.order { try reorder(&changed, index, order, context) }
        let ordered = choice.order.map(block.reordered) ?? block
        let read = index < states.count ? states[index] : nil
        try rewrite(
          &changed, index, NeuronRewrite(ordered, choice, basis, read, index: index, pool), context)
        module = changed
        total.add(choice, block, decision.reason, decision.pick)
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
    context.measure(wanted: total.wanted, measured: total.measured)
    module.metadata["ffn"] = "hire"
  }

  // MARK: Spending a budget

  /// The forms of a block, none of them with a predictor, that share what they can.
  private static func tried(
    _ id: NodeID, _ block: NeuronBlock, _ choices: [NeuronChoice], _ states: HiddenStates, _ index: Int,
    _ pool: ThreadPool
  ) -> NeuronBudget.Block {
    let (down, importance) = (block.downColumns(pool), block.importance(states, pool))
    let rewrites = choices.map {
      NeuronRewrite(block, $0, index: index, down: down, importance: $0.isWeighed ? importance : nil)
    }
    return NeuronBudget.Block(node: id, block: block, choices: choices, rewrites: rewrites)
  }

  private func spend(
    _ budget: NeuronBudget, _ places: [Int], _ module: inout Module, _ total: inout NeuronTotal,
    _ context: inout PassContext
  ) throws {
    var budget = budget
    let outcome = try budget.run(on: module, context)
    for (index, (block, pick)) in zip(places, zip(budget.blocks, outcome.picks)) {
      context.explain(
        ["block \(index): dense \(block.block.dense)"]
          + zip(block.choices, block.divergences).enumerated().map { number, option in
            "  \(option.0), KL \(Self.nats(option.1))\(number == pick ? " <-" : "")"
          })
      if let pick {
        try rewrite(&module, index, block.rewrites[pick], context)
        total.add(block.choices[pick], block.block, .budget, nil)
      } else if let (choice, divergence) = zip(block.choices, block.divergences).first(where: { _ in true }) {
        context.miss(
          module.main.graph[block.node],
          "it would not pay: \(Self.megabytes(block.block.dense.bytes - choice.traffic.bytes)) less per token cost a KL of"
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

  static func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
  static func megabytes(_ bytes: Int) -> String { "\((Double(bytes) / 1e4).rounded() / 100) MB" }
  private static func nats(_ mean: RunningMean) -> String {
    "\((mean.mean * 1e6).rounded() / 1e6) +- \((mean.standardError * 1e6).rounded() / 1e6)"
  }
}
