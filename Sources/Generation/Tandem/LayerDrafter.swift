import Execution
import Kernels
import PlanFormat
import Tokenization

/// Proposes what some of the decoder's own layers draw, without the others.
///
///     caches:    keys and values of all finished tokens, by the decoder | those of the draft, of the layers that run
///
/// The function shares weights and caches with the decoder; caches of layers that it skips stay as they are. What it
/// appends is dropped before the decoder runs the draft, and computes these positions itself.
///
/// - Source: Draft & Verify, papers.md 4.5; with the caches of finished blocks as in Tandem Transformers.
final class LayerDrafter: Drafter {
  private let step: DraftStep
  private let main: Executor
  private var last: TokenID = 0
  /// Tokens of the text that are in the caches, and of the draft.
  private var finished = 0, drafted = 0
  private var capacity = 0

  static let name = "draft"

  static func exists(in plan: PlanFile) -> Bool { plan.program.functions.contains { $0.name == name } }

  init(_ decoder: Decoder, function: String = LayerDrafter.name, pool: ThreadPool) throws(GenerationError) {
    main = decoder.executor
    let executor: Executor
    do throws(ExecutionError) {
      executor = try Executor(main.plan, function: function, pool: pool, states: main.states, isPartial: true)
    } catch {
      throw .malformedTandem(main.plan.path, function, error.message)
    }
    step = try DraftStep(executor)
  }

  func reset(capacity: Int) {
    if capacity > self.capacity {
      step.reserve(capacity)
      self.capacity = capacity
    }
    finished = 0
  }

  func keep(_ tokens: [TokenID], _ count: Int, _ decoder: Decoder) { finished += count }

  func begin(after token: TokenID) { (last, drafted) = (token, 0) }

  func propose(position: Int, _ sampler: Sampler) throws(GenerationError) -> Proposal? {
    guard finished + drafted < capacity else { return nil }
    let proposal = try step.propose(after: last, length: finished + drafted, position: position, sampler)
    drafted += 1
    if let proposal { last = proposal.token }
    return proposal
  }

  func forget(from count: Int) {
    main.truncateStates(to: count)
    finished = min(finished, count)
  }
}
