import GraphIR
import Kernels
import Tensors

/// Chooses how many neurons of which blocks to compute, such that the logits stay near those of the dense model.
///
/// 1. Each block by itself is tried with a few shares of its neurons: the divergence of the logits, all other blocks
///    dense.
/// 2. Divergences of blocks add up nearly: to less where they are small, since each begins with what other rounding
///    alone makes. From all dense, the step that saves most time per nat (``WeightTraffic``) is taken again and again, as long as the sum
///    stays within a multiple of the budget.
/// 3. What is chosen for several multiples is tried as a whole on texts held out: the largest that stays within the
///    budget counts.
struct NeuronBudget {
  /// A block of the model, with what it may become.
  struct Block {
    let node: NodeID
    let block: NeuronBlock
    let choices: [NeuronChoice]
    /// The forms of the choices.
    let rewrites: [NeuronRewrite]
    /// The divergence of each choice.
    var divergences: [RunningMean] = []
  }

  /// What was found: a choice per block, nil where it stays dense.
  struct Outcome {
    let picks: [Int?]
    /// Of texts held out, in nats; nil where all blocks stay dense.
    let divergence: RunningMean?
    /// What the blocks' own divergences add up to.
    let sum: Double
  }

  /// Shares of neurons that are candidates, and of the candidates that are active.
  static let shares: [(candidates: Double, active: Double)] = [
    (0.9, 0.85), (0.8, 0.8), (0.65, 0.75), (0.5, 0.7), (0.3, 0.7),
  ]
  /// Multiples of the budget that are tried.
  private static let parts = [3, 2, 1.5, 1, 0.75, 0.5, 0.3]

  /// In nats.
  let budget: Double
  var blocks: [Block]
  let trial: VariantTrial

  /// Tries and chooses.
  mutating func run(on module: Module, _ context: PassContext) throws -> Outcome {
    try measure(module, context)
    var tried: [[Int?]] = []
    for part in Self.parts {
      let picks = picks(within: budget * part)
      if picks.contains(where: { $0 != nil }), !tried.contains(picks) { tried.append(picks) }
    }
    let nothing = Outcome(picks: blocks.map { _ in nil }, divergence: nil, sum: 0)
    if tried.isEmpty { return nothing }
    let results = try trial(try variants(tried, of: module, context), true)
    for (picks, divergence) in zip(tried, results) where divergence.mean <= budget {
      return Outcome(picks: picks, divergence: divergence, sum: sum(picks))
    }
    return nothing
  }

  /// Tries every choice of every block alone.
  private mutating func measure(_ module: Module, _ context: PassContext) throws {
    var singles: [[Int?]] = []
    for index in blocks.indices {
      for choice in blocks[index].choices.indices {
        singles.append(blocks.indices.map { $0 == index ? choice : nil })
      }
    }
    if singles.isEmpty { return }
    var results = try trial(try variants(singles, of: module, context), false)[...]
    for index in blocks.indices {
      blocks[index].divergences = Array(results.prefix(blocks[index].choices.count))
      results = results.dropFirst(blocks[index].choices.count)
    }
  }

  /// The main function, and one function per list of choices.
  private func variants(_ lists: [[Int?]], of module: Module, _ context: PassContext) throws -> Module {
    var result = Module(functions: [module.main], constants: module.constants)
    for block in blocks { for rewrite in block.rewrites { rewrite.addConstants(to: &result.constants) } }
    for (number, picks) in lists.enumerated() {
      var graph = module.main.graph
      for (block, pick) in zip(blocks, picks) {
        guard let pick else { continue }
        graph = try block.rewrites[pick].replacing(block.node, of: graph, result.constants, context)
      }
      result.functions.append(Module.Function("variant\(number)", graph))
    }
    return result
  }

  // MARK: Choosing

  private func sum(_ picks: [Int?]) -> Double {
    zip(blocks, picks).reduce(0) { sum, pair in
      sum + (pair.1.map { max(0, pair.0.divergences[$0].mean) } ?? 0)
    }
  }

  private func nanoseconds(_ index: Int, _ pick: Int?) -> Double {
    (pick.map { blocks[index].choices[$0].traffic } ?? blocks[index].block.dense).nanoseconds
  }

  private func divergence(_ index: Int, _ pick: Int?) -> Double {
    pick.map { max(0, blocks[index].divergences[$0].mean) } ?? 0
  }

  /// Greedy steps that save most time per nat.
  private func picks(within limit: Double) -> [Int?] {
    var picks: [Int?] = blocks.map { _ in nil }
    var left = limit
    while true {
      var best: (index: Int, pick: Int, cost: Double, worth: Double)?
      for index in blocks.indices {
        for pick in blocks[index].choices.indices {
          let saved = nanoseconds(index, picks[index]) - nanoseconds(index, pick)
          let cost = divergence(index, pick) - divergence(index, picks[index])
          guard saved > 0, cost <= left else { continue }
          let worth = saved / max(cost, 1e-9)
          if worth > best?.worth ?? 0 { best = (index, pick, cost, worth) }
        }
      }
      guard let best else { return picks }
      picks[best.index] = best.pick
      left -= max(0, best.cost)
    }
  }
}
