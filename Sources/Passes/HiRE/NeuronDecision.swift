import GraphIR
import Kernels
import Tensors

/// What a feed-forward block may become, by what it is and what is asked for: one form, or those among which a trial
/// chooses.
struct NeuronDecision {
  /// Why neurons are left out.
  enum Reason: CaseIterable {
    /// The model was trained with groups of which the best count.
    case trainedGroups
    /// They are 0.
    case zeros
    /// So many are to be kept (``HireFeedForward/Options/keep``).
    case share
    /// Logits move as little as is allowed (``HireFeedForward/Options/budget``).
    case budget
  }

  let reason: Reason
  private(set) var forms: [(choice: NeuronChoice, basis: HeadBasis?)] = []
  /// What other orders of neurons were worth.
  private(set) var pick: NeuronPick?
  /// Why none of them pays.
  private(set) var refusal: String?
  /// What was compared.
  private(set) var lines: [String] = []

  private let block: NeuronBlock
  /// What the block reads; nil where nothing is judged by it.
  private let states: HiddenStates?
  private let options: HireFeedForward.Options
  private let pool: ThreadPool

  /// Neurons of a group by co-activation.
  private static let coactiveSize = 8

  /// - Parameter index: the number of the block.
  /// - Throws: why there is nothing to choose from.
  init(
    _ block: NeuronBlock, _ options: HireFeedForward.Options, _ states: [HiddenStates], index: Int,
    canTry: Bool, _ pool: ThreadPool
  ) throws(Miss) {
    reason = try Self.reason(block, options)
    (self.block, self.options, self.pool) = (block, options, pool)
    let name = "block \(index)"
    if reason == .trainedGroups, options.recall == 1 {
      self.states = nil
      trainedGroupsExactly(name)
      dropWhatDoesNotPay()
      return
    }
    guard index < states.count else { throw Miss("there are no hidden states to choose neurons with") }
    guard states[index].width == block.width else {
      throw Miss("hidden states have \(states[index].width) numbers, the block reads \(block.width)")
    }
    self.states = states[index]
    switch reason {
    case .trainedGroups: try trainedGroups(name)
    case .zeros: try zeros(name)
    case .share: forms = [try kept(candidates: options.keep!, active: 1)]
    case .budget:
      guard canTry else { throw Miss("there is nothing to try it with") }
      for (candidates, active) in NeuronBudget.shares {
        forms.append(try kept(candidates: candidates, active: active))
      }
    }
    dropWhatDoesNotPay()
  }

  /// Leaves forms that are faster than the dense block.
  private mutating func dropWhatDoesNotPay() {
    let least = forms.map(\.choice.traffic).min { $0.nanoseconds < $1.nanoseconds }
    // Who says how many neurons stay gets them, as long as less is read.
    forms.removeAll {
      let traffic = $0.choice.traffic
      return traffic.bytes >= block.dense.bytes
        || reason != .share && traffic.nanoseconds >= block.dense.nanoseconds
    }
    guard forms.isEmpty, let least else { return }
    refusal =
      reason == .budget
      ? "no share of its neurons would be faster than all"
      : "it would not pay: \(least) per token, the dense block reads \(block.dense)"
  }

  private static func reason(_ block: NeuronBlock, _ options: HireFeedForward.Options) throws(Miss) -> Reason
  {
    if block.activeGroups > 0 {
      // The model ranks groups by sums of h; what is found here are the largest sums of |act|.
      guard block.gate == nil, block.activation.isZeroBelowZero else {
        throw Miss(
          "groups of \(block.gate == nil ? "" : "gated ")'\(block.activation.rawValue)' are ranked by sums of signed"
            + " numbers, which nothing here predicts; accepted are groups behind ReLU without gates")
      }
      return .trainedGroups
    }
    if block.hasZeros { return .zeros }
    if options.keep != nil { return .share }
    if options.budget != nil { return .budget }
    throw Miss(
      "the model was not trained with groups of neurons; --ffn-budget or --ffn-keep says how many neurons stay"
    )
  }

  // MARK: Forms

  private func search(unitSize: Int, most: Int?) throws(Miss) -> NeuronSearch {
    guard let states else { preconditionFailure("forms that are searched for have hidden states") }
    return try NeuronSearch(
      block, unitSize: unitSize, most: most, predicts: options.recall < 1, states, pool: pool)
  }

  private func title(_ name: String, _ text: String) -> String {
    "\(name): \(text); dense \(block.dense)"
  }

  /// The groups that count, by exact scores of all.
  private mutating func trainedGroupsExactly(_ name: String) {
    let (active, size) = (block.activeGroups, block.groupSize)
    let choice = NeuronChoice(
      groupSize: size, candidateGroups: active, activeGroups: active, scan: nil,
      traffic: block.exact(candidates: active * size, active: active * size), recall: 1, interval: 0)
    forms = [(choice, nil)]
    lines = [title(name, "\(active) of \(block.neurons / size) groups"), "  \(choice)"]
  }

  /// The groups that count, as far as a predictor finds them.
  private mutating func trainedGroups(_ name: String) throws(Miss) {
    let active = block.activeGroups
    let search = try search(unitSize: block.groupSize, most: active)
    lines = [title(name, "\(active) of \(block.neurons / block.groupSize) groups")]
    let found = search.findings(recall: options.recall, [search.asTheyLie])
    pick = NeuronPick(found.choices)
    guard let pick else {
      let text = found.best.map {
        "the best reaches \(HireFeedForward.percent($0.recall)) +- \(HireFeedForward.percent($0.interval))"
      }
      throw Miss(
        "no predictor finds \(HireFeedForward.percent(options.recall)) of the active groups: \(text ?? "none fits")"
      )
    }
    forms = [(pick.choice, search.basis)]
    lines += found.choices.prefix(4).map { "  \($0)" }
    lines.append("  recall of 1, 1.5, 2 and 3 times as many candidates as active groups:")
    lines += found.comparison.map { form, recalls in
      "    \(form): \(recalls.map { HireFeedForward.percent($0) }.joined(separator: " / "))"
    }
  }

  /// All neurons that are not 0: exactly, or as far as a predictor finds them where that is faster.
  private mutating func zeros(_ name: String) throws(Miss) {
    let predicts = options.recall < 1
    let search = try search(unitSize: 1, most: nil)
    var (groupings, size) = ([search.asTheyLie], Self.coactiveSize)
    lines = [title(name, block.cutoff == nil ? "ReLU" : "gates that are cut off")]
    // Without predictors groups save nothing but parameters of panels.
    if predicts {
      do throws(Miss) {
        groupings.append(try search.coactive(size: size))
        groupings.insert(search.neighbours(of: size), at: 1)
      } catch {
        lines.append("  neurons keep their order: \(error.reason)")
      }
    }
    var bounds: [NeuronBounds] = []
    do throws(Miss) {
      bounds = try search.bounds()
      lines += bounds.map { "  \($0)" }
    } catch {
      lines.append("  no bounds: \(error.reason)")
    }
    let best = bounds.min { $0.traffic.nanoseconds < $1.traffic.nanoseconds }
    let plain = groupings.filter { $0.groupSize == 1 || $0.kind == .coactive }
    var choices = plain.map { search.exact($0) }
    if let best { choices += plain.map { search.exact($0, best) } }
    if predicts {
      let limit = (choices.map(\.traffic) + [block.dense]).map(\.nanoseconds).min() ?? .infinity
      choices += search.findings(recall: options.recall, groupings, below: limit).choices
    }
    pick = NeuronPick(choices)
    guard let pick else { preconditionFailure("neurons as they lie are a choice") }
    forms = [(pick.choice, search.basis)]
    // The best of each kind.
    for isCoactive in [false, true] {
      for size in [1, size] {
        let best = choices.filter { $0.isCoactive == isCoactive && $0.groupSize == size }.min {
          $0.traffic.nanoseconds < $1.traffic.nanoseconds
        }
        if let best { lines.append("  \(best)") }
      }
    }
  }

  /// Some of the neurons, by exact gates or a predictor.
  private func kept(candidates: Double, active: Double) throws(Miss) -> (NeuronChoice, HeadBasis?) {
    let candidates = max(1, Int((Double(block.neurons) * candidates).rounded()))
    let isGated = block.gate != nil
    // Without gates candidates are known exactly, and cost nothing.
    let active = max(1, Int((Double(candidates) * active).rounded()))
    let exact = NeuronChoice(
      groupSize: 1, candidateGroups: isGated ? candidates : active, activeGroups: active, scan: nil,
      isWeighed: true, traffic: block.exact(candidates: candidates, active: active), recall: 1, interval: 0
    )
    // A predictor of what is small itself reads more than that.
    guard reason == .share, options.recall < 1, block.cutoff == nil, block.firstFormat.bitsPerWeight > 8,
      let search = try? search(unitSize: 1, most: active),
      let pick = NeuronPick(search.findings(recall: options.recall, [search.asTheyLie]).choices),
      pick.choice.traffic.nanoseconds < exact.traffic.nanoseconds
    else { return (exact, nil) }
    return (pick.choice, search.basis)
  }
}

// MARK: Words

extension NeuronChoice: CustomStringConvertible {
  var description: String {
    let common = commonGroups > 0 ? " (\(commonGroups) common, p = \(commonShare))" : ""
    let (order, bounds) = (
      isCoactive ? ", by co-activation" : "", boundFormat.map { " by bounds of \($0)" } ?? ""
    )
    return "\(scan.map { "\($0)" } ?? "exact\(bounds)") -> \(candidateGroups) groups of \(groupSize)\(common)"
      + (activeGroups.map { " -> \($0)" } ?? "")
      + "\(order): \(traffic), recall \(HireFeedForward.percent(recall))"
      + " +- \(HireFeedForward.percent(interval))"
  }
}

extension NeuronScan: CustomStringConvertible {
  var description: String {
    "\(hasBasis ? "rank " : "all ")\(rank) of \(bits) bits\(isOfGroups ? " by group" : "")"
  }
}

extension NeuronBounds: CustomStringConvertible {
  var description: String {
    "bounds of \(format) leave \(survivors) neurons: \(traffic), all rows \(dense)"
  }
}

extension WeightTraffic: CustomStringConvertible {
  var description: String {
    "\(HireFeedForward.megabytes(bytes)) in \(Int((nanoseconds / 1000).rounded())) us"
  }
}
