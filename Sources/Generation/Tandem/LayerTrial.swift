public import Kernels
public import PlanFormat
public import Tokenization

/// What functions of some of a decoder's layers propose: how often it is right, and what it takes.
public struct LayerTrial: Sendable {
  public struct Result: Sendable {
    /// The share of proposals right behind the text that are right.
    public let acceptance: Double
    /// What a proposal takes, over a run over one token (``DraftCosts``).
    public let cost: Double
  }

  /// In the order of the functions.
  public private(set) var results: [Result] = []
  /// T(m) / T(1) for m = 1, 2, ...
  public let blockCost: [Double]

  /// Continues texts by one function after the other, each greedily by `count` tokens in drafts of one.
  public init(
    _ plan: PlanFile, functions: [String], _ prompts: [[TokenID]], count: Int, pool: ThreadPool
  ) throws(GenerationError) {
    let decoder = try Decoder(plan, pool: pool, head: .dense)
    let context = try plan.contextLength()
    let length = (prompts.map(\.count).max() ?? 1)
    let drafters = try functions.map { function throws(GenerationError) in
      try LayerDrafter(decoder, function: function, pool: pool)
    }
    let costs = try DraftCosts(decoder, drafters, depth: length)
    blockCost = costs.blocks
    for (drafter, share) in zip(drafters, costs.shares) {
      let drafting = Drafting(.layers, drafter, decoder)
      var total = DraftStatistics()
      for prompt in prompts {
        var options = TokenGenerator.Options()
        (options.maxTokens, options.blockLength) = (count, .fixed(1))
        total.add(
          try TokenGenerator(decoder, context: context, drafting: drafting).generate(prompt, options)
            .statistics.draft)
      }
      results.append(Result(acceptance: total.acceptance, cost: share.proposal))
    }
  }

  /// The speed-up that independent proposals give at the best length of drafts.
  ///
  ///     (1 - a^(g + 1)) / (1 - a) / (T(g + 1) / T(1) + g c)
  public func speedUp(_ result: Result) -> Double {
    (1..<blockCost.count).map { length in
      DraftStatistics.expectedTokens(acceptance: result.acceptance, length: Double(length))
        / (blockCost[length] + Double(length) * result.cost)
    }.max() ?? 0
  }
}
