import Testing

@testable import Generation

@Suite struct DraftGateTests {
  /// What runs and proposals cost, in runs over one token.
  private struct Machine {
    var block: Double
    var proposal: Double
    var length = 4
  }

  /// Seconds of a text, beside those without drafts and with drafts alone.
  private func time(_ machine: Machine, _ acceptance: [Double], tokens: Int, seed: UInt64 = 1) -> (
    gated: Double, always: Double, plain: Double, share: Double
  ) {
    func run(_ isOpen: (inout DraftGate) -> Bool) -> (Double, Double) {
      var gate = DraftGate()
      var random = SplitMix(state: seed)
      var (seconds, count, rounds, open) = (0.0, 0, 0, 0)
      while count < tokens {
        rounds += 1
        guard isOpen(&gate) else {
          gate.note(hasDrafted: false, tokens: 1, seconds: 1)
          (seconds, count) = (seconds + 1, count + 1)
          continue
        }
        open += 1
        let rate = acceptance[count * acceptance.count / tokens]
        var settled = 1
        while settled <= machine.length, random.uniform() < rate { settled += 1 }
        let cost = machine.block + Double(machine.length) * machine.proposal
        gate.note(hasDrafted: true, tokens: settled, seconds: cost)
        (seconds, count) = (seconds + cost, count + settled)
      }
      return (seconds, Double(open) / Double(rounds))
    }
    let (gated, share) = run { $0.isOpen }
    return (gated, run { _ in true }.0, Double(tokens), share)
  }

  /// Drafts that are never right cost a few rounds.
  @Test(arguments: [1.2, 2, 4])
  func hostileDraftsAreLeftOut(block: Double) {
    for tokens in [512, 4096] {
      let time = time(Machine(block: block, proposal: 0.2), [0], tokens: tokens)
      #expect(time.gated < (tokens < 1000 ? 1.16 : 1.04) * time.plain, "\(tokens) tokens")
      #expect(time.always > 1.8 * time.plain && time.share < 0.06)
    }
  }

  /// Drafts that pay are made all the time but for a look at plain runs now and then.
  @Test(arguments: UInt64(1)..<20)
  func goodDraftsStay(seed: UInt64) {
    let time = time(Machine(block: 1.3, proposal: 0.1), [0.85], tokens: 2000, seed: seed)
    #expect(time.gated < 1.06 * time.always && time.gated < 0.6 * time.plain)
  }

  /// What does not pay by a little is left out as well.
  @Test(arguments: UInt64(1)..<20)
  func drawsAreNearPlain(seed: UInt64) {
    let time = time(Machine(block: 2, proposal: 0.2), [0.5], tokens: 2000, seed: seed)
    #expect(time.always > 1.3 * time.plain)
    #expect(time.gated < 1.06 * time.plain)
  }

  /// A text that becomes predictable is found out, and one that ceases to be so, too.
  @Test(arguments: UInt64(1)..<20)
  func changesAreSeen(seed: UInt64) {
    let machine = Machine(block: 1.3, proposal: 0.1)
    let better = time(machine, [0, 0.9], tokens: 4000, seed: seed)
    #expect(better.gated < 0.8 * better.plain)
    let worse = time(machine, [0.9, 0], tokens: 4000, seed: seed)
    #expect(worse.gated < 0.85 * worse.plain && worse.gated < worse.always)
  }

  /// One round that the machine was away for changes nothing.
  @Test func outliersAreBounded() {
    var rate = FadingRate()
    for _ in 0..<20 { rate.add(2, 1) }
    rate.add(2, 1000)
    #expect(rate.value < 0.65)
    for _ in 0..<40 { rate.add(2, 1) }
    #expect(abs(rate.value - 0.5) < 0.02)
  }
}
