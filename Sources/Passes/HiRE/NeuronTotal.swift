/// What all rewritten blocks come to.
struct NeuronTotal {
  private let options: HireFeedForward.Options
  private(set) var count = 0
  private var reasons: [NeuronDecision.Reason: Int] = [:]
  /// Blocks with a predictor, and the least recall of them.
  private var predicted = 0, recall = 1.0
  /// Neurons of the blocks with bounds, those that the bounds leave, and what these add to the plan.
  private var bounded = (blocks: 0, neurons: 0, survivors: 0, bytes: 0)
  private var bytes = 0, dense = 0
  private var coactivation = GainTotal(), commonPath = GainTotal()
  private var commonGroups = 0
  /// What a budget's trial said.
  var divergence: String?

  init(_ options: HireFeedForward.Options) { self.options = options }

  mutating func add(
    _ choice: NeuronChoice, _ block: NeuronBlock, _ reason: NeuronDecision.Reason, _ pick: NeuronPick?
  ) {
    count += 1
    reasons[reason, default: 0] += 1
    commonGroups += choice.commonGroups
    coactivation.add(pick?.coactivation)
    commonPath.add(pick?.commonPath)
    if choice.scan != nil { (predicted, recall) = (predicted + 1, min(recall, choice.recall)) }
    if let format = choice.boundFormat {
      bounded.blocks += 1
      bounded.bytes += NeuronBounds.bytes(block, format)
      bounded.neurons += block.neurons
      bounded.survivors += choice.expectedCandidates ?? block.neurons
    }
    bytes += choice.traffic.bytes
    dense += block.dense.bytes
  }

  private var share: String { HireFeedForward.percent(Double(bytes) / Double(max(1, dense))) }

  fileprivate static func blocks(_ count: Int) -> String { count == 1 ? "1 block" : "\(count) blocks" }

  // MARK: The summary

  var notes: [String] {
    var notes = [
      "HiRE FFN: \(Self.blocks(count)) read \(share) of their \(HireFeedForward.megabytes(dense)), \(found)"
    ]
    if bounded.blocks > 0 {
      notes.append(
        "certified zeros: in \(Self.blocks(bounded.blocks)) bounds prove all but"
          + " \(HireFeedForward.percent(Double(bounded.survivors) / Double(bounded.neurons))) of the neurons to be 0;"
          + " \(HireFeedForward.megabytes(bounded.bytes)) more in the plan")
    }
    if !coactivation.isEmpty {
      notes.append("co-activation: " + coactivation.text { "neurons of \($0) lie in groups by it" })
    }
    if !commonPath.isEmpty {
      notes.append(
        "common path: " + commonPath.text { "\(commonGroups) groups of \($0) are always computed" })
    }
    return notes + unused
  }

  /// Of what they should find.
  private var found: String {
    if let divergence { return divergence }
    if let keep = options.keep, reasons[.share] ?? 0 == count {
      return "keep \(HireFeedForward.percent(keep)) of the neurons"
    }
    return predicted == 0
      ? "and miss nothing" : "find \(HireFeedForward.percent(recall)) of what is active or more"
  }

  /// Options that do not apply to some blocks.
  private var unused: [String] {
    let option = options.keep != nil ? "--ffn-keep" : options.budget != nil ? "--ffn-budget" : nil
    guard let option else { return [] }
    let others = [
      (NeuronDecision.Reason.trainedGroups, "the model was trained with groups of neurons"),
      (.zeros, "neurons that are 0 are left out"),
    ]
    return others.compactMap { reason, text in
      reasons[reason].map { "\(option) does not apply to \(Self.blocks($0)): \(text)" }
    }
  }

  // MARK: The ledger

  var wanted: String {
    var parts: [String] = []
    if reasons[.budget] != nil, let budget = options.budget { parts.append("KL of at most \(budget) nats") }
    if reasons[.share] != nil, let keep = options.keep {
      parts.append("keep \(HireFeedForward.percent(keep)) of the neurons")
    }
    if reasons[.trainedGroups] ?? reasons[.zeros] != nil {
      parts.append(options.recall < 1 ? "recall of what is active >= \(options.recall)" : "nothing predicted")
    }
    return parts.joined(separator: "; ")
  }

  var measured: String {
    let recall = predicted > 0 ? "\((recall * 1e5).rounded() / 1e5) in the worst block" : nil
    return
      ([divergence ?? recall, "\(share) of the bytes"].compactMap { $0 }
      + (commonGroups > 0 ? ["\(commonGroups) groups in common paths"] : [])).joined(separator: ", ")
  }
}

/// What another order was worth in all blocks, in words.
private struct GainTotal {
  private var used = (blocks: 0, with: 0, without: 0), unused = (blocks: 0, with: 0, without: 0)

  mutating func add(_ gain: NeuronPick.Gain?) {
    guard let gain else { return }
    func added(_ sums: (blocks: Int, with: Int, without: Int)) -> (blocks: Int, with: Int, without: Int) {
      (sums.blocks + 1, sums.with + gain.with.bytes, sums.without + gain.without.bytes)
    }
    if gain.isUsed { used = added(used) } else { unused = added(unused) }
  }

  var isEmpty: Bool { used.blocks + unused.blocks == 0 }

  /// - Parameter use: what is done where it pays, as `neurons of %@ in groups of 8`, with the number of blocks.
  func text(_ use: (_ blocks: String) -> String) -> String {
    func figures(_ sums: (blocks: Int, with: Int, without: Int)) -> String {
      "(\(HireFeedForward.megabytes(sums.with)) with it, \(HireFeedForward.megabytes(sums.without)) without)"
    }
    return
      ((used.blocks > 0 ? ["\(use(NeuronTotal.blocks(used.blocks))) \(figures(used))"] : [])
      + (unused.blocks > 0
        ? ["does not pay in \(NeuronTotal.blocks(unused.blocks)) \(figures(unused))"] : []))
      .joined(separator: "; ")
  }
}
