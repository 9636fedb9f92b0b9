import Foundation
import Generation
import Reports

/// What `tandem bench --draft-plan` prints.
struct ReplayReport: Encodable {
  struct Result: Encodable {
    let acceptance: Double, length: Int, measuredAcceptance: Double, tokensPerPass: Double
    let speedUp: Double, predicted: Double, ideal: Double, refresh: Double, rest: Double
  }

  let plan: String, draftPlan: String
  let plainTokensPerSecond: Double
  /// T(m) / T(1) for m = 1, 2, ...
  let blockCost: [Double]
  let proposalCost: Double
  let results: [Result]

  init(_ plan: String, _ small: String, _ replay: DraftReplay, _ results: [DraftReplay.Result]) {
    (self.plan, draftPlan, plainTokensPerSecond) = (plan, small, replay.plainTokensPerSecond)
    (blockCost, proposalCost) = (replay.blockCost, replay.proposalCost)
    self.results = results.map {
      Result(
        acceptance: $0.acceptance, length: $0.length, measuredAcceptance: $0.measuredAcceptance,
        tokensPerPass: $0.tokensPerPass, speedUp: $0.speedUp, predicted: $0.predicted, ideal: $0.ideal,
        refresh: $0.refresh, rest: $0.rest)
    }
  }

  var text: String {
    var rows = [
      [
        "right", "draft of", "right, measured", "tokens a pass", "times as fast", "predicted", "T(m) = T(1)",
        "refresh", "rest",
      ]
    ]
    for result in results {
      rows.append([
        String(format: "%.2f", result.acceptance), "\(result.length)",
        String(format: "%.2f", result.measuredAcceptance), String(format: "%.2f", result.tokensPerPass),
        String(format: "%.2f", result.speedUp), String(format: "%.2f", result.predicted),
        String(format: "%.2f", result.ideal), String(format: "%.1f %%", 100 * result.refresh),
        String(format: "%.1f %%", 100 * result.rest),
      ])
    }
    let costs = blockCost.map { String(format: "%.2f", $0) }.joined(separator: " ")
    return String(
      format: "%.1f tokens/s without drafts; a proposal costs %.2f runs\n", plainTokensPerSecond, proposalCost
    )
      + "T(1, 2, ...)/T(1) \(costs)\n"
      + TextTable(rows: rows, alignments: Array(repeating: .right, count: 9)).text
  }
}
