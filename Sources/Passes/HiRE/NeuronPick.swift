/// The form that a block gets of those that find enough, and what another order of its neurons was worth.
struct NeuronPick {
  /// What a token reads with something and without it.
  struct Gain {
    let with: WeightTraffic, without: WeightTraffic
    var isUsed = false

    /// Another order must save a hundredth of the time: less is not worth another order of all weights.
    var pays: Bool { with.nanoseconds <= 0.99 * without.nanoseconds }
  }

  let choice: NeuronChoice
  /// Groups by co-activation, and the common path; nil where there was no choice.
  private(set) var coactivation: Gain?, commonPath: Gain?

  /// Nil when there are no choices.
  init?(_ choices: [NeuronChoice]) {
    func least(_ choices: [NeuronChoice]) -> WeightTraffic? {
      choices.map(\.traffic).min { $0.nanoseconds < $1.nanoseconds }
    }
    func gain(_ choices: [NeuronChoice], _ isWith: (NeuronChoice) -> Bool) -> Gain? {
      guard let with = least(choices.filter(isWith)), let without = least(choices.filter { !isWith($0) })
      else { return nil }
      return Gain(with: with, without: without)
    }
    var left = choices
    coactivation = gain(left) { $0.isCoactive }
    if let coactivation {
      let isUsed = coactivation.pays
      self.coactivation?.isUsed = isUsed
      left = left.filter { $0.isCoactive == isUsed }
    }
    commonPath = gain(left) { $0.commonGroups > 0 }
    if let commonPath {
      let isUsed = commonPath.pays
      self.commonPath?.isUsed = isUsed
      left = left.filter { ($0.commonGroups > 0) == isUsed }
    }
    guard let choice = left.min(by: { $0.traffic.nanoseconds < $1.traffic.nanoseconds }) else { return nil }
    self.choice = choice
  }
}
