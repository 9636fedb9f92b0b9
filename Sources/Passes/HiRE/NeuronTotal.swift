/// What all rewritten blocks come to.
struct NeuronTotal {
  private(set) var count = 0
  private var recall = 1.0
  private var bytes = 0, dense = 0
  private var coactivation = GainTotal(), commonPath = GainTotal()
  private var commonGroups = 0
  /// What a budget's trial said.
  var divergence: String?

  mutating func add(_ choice: NeuronChoice, _ block: NeuronBlock, _ pick: NeuronPick?) {
    count += 1
    commonGroups += choice.commonGroups
    coactivation.add(pick?.coactivation)
    commonPath.add(pick?.commonPath)
    recall = min(recall, choice.recall)
    bytes += choice.bytes
    dense += block.denseBytes
  }

  private var share: String { HireFeedForward.percent(Double(bytes) / Double(max(1, dense))) }

  var notes: [String] {
    var notes = [
      "HiRE FFN: \(count) blocks read \(share) of their \(HireFeedForward.megabytes(dense)), "
        + (divergence ?? "find \(HireFeedForward.percent(recall)) of what is active or more")
    ]
    if !coactivation.isEmpty {
      notes.append("co-activation: " + coactivation.text { "neurons of \($0) lie in groups by it" })
    }
    if !commonPath.isEmpty {
      notes.append(
        "common path: " + commonPath.text { "\(commonGroups) groups of \($0) are always computed" })
    }
    return notes
  }

  var measured: String {
    "\(divergence ?? "\((recall * 1e5).rounded() / 1e5) in the worst block"), \(share) of the bytes"
      + (commonGroups > 0 ? ", \(commonGroups) groups in common paths" : "")
  }
}

/// What another order was worth in all blocks, in words.
private struct GainTotal {
  private var used = (blocks: 0, with: 0, without: 0), unused = (blocks: 0, with: 0, without: 0)

  mutating func add(_ gain: NeuronPick.Gain?) {
    guard let gain else { return }
    func added(_ sums: (blocks: Int, with: Int, without: Int)) -> (blocks: Int, with: Int, without: Int) {
      (sums.blocks + 1, sums.with + gain.with, sums.without + gain.without)
    }
    if gain.isUsed { used = added(used) } else { unused = added(unused) }
  }

  var isEmpty: Bool { used.blocks + unused.blocks == 0 }

  /// - Parameter use: what is done where it pays, as `neurons of %@ in groups of 8`, with the number of blocks.
  func text(_ use: (_ blocks: String) -> String) -> String {
    func count(_ blocks: Int) -> String { blocks == 1 ? "1 block" : "\(blocks) blocks" }
    func figures(_ sums: (blocks: Int, with: Int, without: Int)) -> String {
      "(\(HireFeedForward.megabytes(sums.with)) with it, \(HireFeedForward.megabytes(sums.without)) without)"
    }
    return
      ((used.blocks > 0 ? ["\(use(count(used.blocks))) \(figures(used))"] : [])
      + (unused.blocks > 0 ? ["does not pay in \(count(unused.blocks)) \(figures(unused))"] : []))
      .joined(separator: "; ")
  }
}
