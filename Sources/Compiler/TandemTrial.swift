import Foundation
import Generation
import Kernels
import PlanFormat
import Tokenization

/// Whether a small model pays on this machine, and how long its drafts should be: measured on the plan itself.
struct TandemTrial {
  let trial: DraftTrial

  /// A speed-up below this is none that a run could count on.
  static let least = 1.03

  /// - Parameter plan: one with a small model.
  init(_ plan: PlanFile, tokenizer: Tokenizer?, threadCount: Int) throws {
    let pool = ThreadPool(threadCount: threadCount)
    let decoder = try Decoder(plan, pool: pool, head: .dense)
    guard let drafting = try Drafting.make(.tandem, for: decoder, pool: pool) else {
      preconditionFailure("a drafter that is asked for is made")
    }
    trial = try DraftTrial(
      decoder, drafting, prefix: tokenizer?.encode("", addSpecialTokens: true) ?? [],
      context: try plan.contextLength())
  }

  var pays: Bool { trial.speedUp(trial.best) >= Self.least }

  /// What runs go by unless they are told otherwise. Adaptive drafts may be twice as long as the best fixed ones.
  var entries: [Entry] {
    [
      Entry("draft", pays ? "tandem" : "none"),
      Entry("draft_limit", "\(min(2 * trial.best, BlockLength.largest))"),
    ]
  }

  var note: String {
    let best = trial.best
    let shares = trial.survival.prefix(8).map { String(format: "%.2f", $0) }.joined(separator: " ")
    let costs = [2, 4, 8, 16].map { String(format: "%.2f", trial.blockCost[$0 - 1]) }.joined(separator: " ")
    let numbers =
      "right up to place 1, 2, ...: \(shares); T(2, 4, 8, 16)/T(1) \(costs), a proposal "
      + String(
        format: "%.2f, a refresh %.2f; %.2f times as fast at %d", trial.proposalCost, trial.refreshCost,
        trial.speedUp(best), best)
    return pays
      ? "tandem: \(numbers)" : "tandem does not pay here, so runs use it only with --draft tandem: \(numbers)"
  }
}
