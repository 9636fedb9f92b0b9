import Calibration
import Foundation
import Generation
import GraphIR
import Kernels
import Passes
import PlanFormat
import Tokenization

/// Makes drafters of a model itself, without training, and finds out by trial which of them writes its texts fastest.
///
/// 1. Each branch is left out of `decode` alone, or of its HiRE form; how often what is left is right is measured, with
///    the caches of finished tokens by the whole model.
/// 2. Branches are left out together, those first that lose least per byte. The function with the largest speed-up
///    by acceptance and cost becomes `draft`.
/// 3. Dense decoding, its HiRE form with verification by the dense head, n-grams, the layers, and their combinations
///    write the same texts in turns. What the fastest does not need is dropped.
struct DerivedTrial {
  private(set) var module: Module
  private(set) var entries: [Entry] = []
  private(set) var notes: [String] = []

  private let folder: String
  private let model: [Entry]
  private let pool: ThreadPool
  private let prefix: [TokenID]
  private let context: Int
  private let progress: (Double) -> Void

  /// Texts and their tokens: for branches, and for the contest.
  private static let (tried, contested) = ((texts: 2, length: 24), (texts: 4, length: 64))
  /// Shares of the branches that are left out together.
  private static let shares = [0.06, 0.12, 0.18, 0.25, 0.35, 0.5, 0.65]

  /// - Parameters:
  ///   - model: what the plan will say of the model, context and head.
  ///   - folder: where plans are written for a moment.
  init(
    _ module: Module, model: [Entry], context: Int, tokenizer: Tokenizer?, folder: String, threadCount: Int,
    progress: @escaping (Double) -> Void
  ) throws {
    (self.module, self.model, self.context, self.folder) = (module, model, context, folder)
    self.progress = progress
    pool = ThreadPool(threadCount: threadCount)
    prefix = tokenizer?.encode("", addSpecialTokens: true) ?? []
    do throws(Miss) {
      try addLayers()
    } catch {
      notes.append("no drafter of some layers: \(error.reason)")
    }
    try choose()
  }

  private var hasHire: Bool { module.functions.contains { $0.name == "decode_hire" } }

  // MARK: Layers

  private mutating func addLayers() throws(Miss) {
    let source = hasHire ? "decode_hire" : "decode"
    guard let function = module.functions.first(where: { $0.name == source }) else {
      throw Miss("there is no function '\(source)'")
    }
    let subset = try LayerSubset(function, in: module)
    do {
      let single = try trial(subset, subset.branches.indices.map { [$0] })
      progress(0.5)
      let order = subset.branches.indices.sorted { a, b in
        func loss(_ place: Int) -> Double {
          (1 - single.results[place].acceptance) / Double(subset.branches[place].byteCount)
        }
        return loss(a) < loss(b)
      }
      var counts: [Int] = []
      for share in Self.shares {
        let count = max(1, Int((share * Double(order.count)).rounded()))
        if count < order.count, !counts.contains(count) { counts.append(count) }
      }
      let together = try trial(subset, counts.map { Set(order.prefix($0)) })
      progress(0.8)
      let best = counts.indices.max {
        together.speedUp(together.results[$0]) < together.speedUp(together.results[$1])
      }!
      module.functions.append(
        try subset.function(named: Drafting.layersFunction, without: Set(order.prefix(counts[best]))))
      notes += Self.describe(subset, single, counts, together, best)
    } catch {
      throw Miss("\(error)")
    }
  }

  private func trial(_ subset: LayerSubset, _ skipped: [Set<Int>]) throws -> LayerTrial {
    var variants = module
    let names = skipped.indices.map { "draft.\($0)" }
    for (name, places) in zip(names, skipped) {
      variants.functions.append(try subset.function(named: name, without: places))
    }
    let plan = try variants.temporaryPlan(folder: folder, model: model)
    let decoder = try Decoder(plan, pool: pool, head: .dense)
    let texts = try DraftContest.texts(
      by: decoder, Self.tried.texts, length: Self.tried.length, prefix: prefix, context: context)
    return try LayerTrial(plan, functions: names, texts, count: Self.tried.length, pool: pool)
  }

  private static func describe(
    _ subset: LayerSubset, _ single: LayerTrial, _ counts: [Int], _ together: LayerTrial, _ best: Int
  ) -> [String] {
    let shares = single.results.map(\.acceptance).sorted(by: >)
    func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }
    let rows = zip(counts, together.results).map { count, result in
      String(
        format: "%d: %@, c %.2f, %.2f times", count, percent(result.acceptance), result.cost,
        together.speedUp(result))
    }
    return [
      "layers: without one of \(subset.branches.count) branches \(percent(shares[0])) to \(percent(shares.last!)) are right,"
        + " median \(percent(shares[shares.count / 2])); without several (right, cost, speed-up by the formula): "
        + rows.joined(separator: "; ") + "; chosen \(counts[best])"
    ]
  }

  // MARK: The contest

  private mutating func choose() throws {
    let plan = try module.temporaryPlan(folder: folder, model: model)
    let hasLayers = module.functions.contains { $0.name == Drafting.layersFunction }
    let drafts: [Drafting.Kind] = [.none, .ngram] + (hasLayers ? [.layers] : [])
    let entrants = ([.dense] + (hasHire ? [.hire] : [])).flatMap { head in
      drafts.map { DraftContest.Entrant(head, $0) }
    }
    let writer = try Decoder(plan, pool: pool, head: .dense)
    let length = max(4, min(Self.contested.length, (context - prefix.count) / 2 - BlockLength.largest))
    let prompts = try DraftContest.texts(
      by: writer, Self.contested.texts, length: length, prefix: prefix, context: context)
    let contest = try DraftContest(plan, entrants, prompts, count: length, pool: pool)
    let fastest = contest.best
    let chosen = contest.speedUp(fastest) >= TandemTrial.least ? fastest.entrant : entrants[0]
    notes.append(Self.table(contest) + "; chosen: \(chosen)")
    entries = [Entry("draft", chosen.draft.rawValue)]
    drop { $0 == Drafting.layersFunction && chosen.draft != .layers }
    if chosen.head == .dense {
      drop { Decoder.hireFunctions.contains($0) }
      module.metadata["head"] = nil
      module.metadata["head_k"] = nil
      let ledger = module.metadata[Conversion.ledgerKey]?.split(separator: ",") ?? []
      module.metadata[Conversion.ledgerKey] = ledger.filter { !$0.hasPrefix("hire-softmax:") }
        .joined(separator: ",")
    }
  }

  private mutating func drop(_ isDropped: (String) -> Bool) {
    module.functions.removeAll { isDropped($0.name) }
    let used = Set(
      module.functions.flatMap { function in
        function.graph.order.flatMap { function.graph[$0].operands }.compactMap { operand in
          operand.flatMap { function.graph.constantName(of: $0) }
        } + function.graph.outputs.compactMap { function.graph.constantName(of: $0.value) }
      })
    module.constants = module.constants.filter { used.contains($0.key) }
  }

  private static func table(_ contest: DraftContest) -> String {
    "drafters: "
      + contest.results.map { result in
        var text = String(
          format: "%@ %.1f tokens/s (%.2f)", "\(result.entrant)", result.tokensPerSecond,
          contest.speedUp(result))
        if result.draft.drafted > 0 {
          text += String(
            format: ", %.0f %% of drafts right, %.2f tokens a run", 100 * result.draft.acceptance,
            result.draft.tokensPerPass)
        }
        if result.entrant.head == .hire { text += ", \(result.replaced) replaced" }
        return result.isSame ? text : text + ", ANOTHER text"
      }.joined(separator: "; ")
  }
}
