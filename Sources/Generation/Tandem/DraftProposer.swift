import Tokenization

/// Makes drafts: asks a drafter for tokens, as many as are expected to pay, and learns from what becomes of them.
struct DraftProposer {
  let drafter: any Drafter
  /// The last draft.
  private(set) var draft: [TokenID] = []
  /// Seconds of the last draft, and of what the drafter had to catch up with before.
  private(set) var draftSeconds = 0.0, refreshSeconds = 0.0
  private var proposals: [Proposal] = []
  private let length: BlockLength
  private let stops: Set<TokenID>
  /// Tokens of a draft at most.
  let largest: Int
  private var economy = DraftEconomy()
  private var gate = DraftGate()
  /// Whether the drafter was asked for the last draft.
  private var hasDrafted = false
  private let clock = ContinuousClock()

  /// - Parameter rows: tokens of one run at most.
  init(_ drafting: Drafting, _ options: TokenGenerator.Options, rows: Int) {
    (drafter, length, stops) = (drafting.drafter, options.blockLength, options.stopTokens)
    largest = min(length == .adaptive ? drafting.limit : BlockLength.largest, rows - 1)
    draft.reserveCapacity(largest)
    proposals.reserveCapacity(largest)
  }

  /// Fills ``draft`` with at most `most` tokens behind `last`, which is the one after the first `start`.
  ///
  /// - Parameter onDrawn: given each token.
  mutating func propose(
    after last: TokenID, _ start: Int, most: Int, _ sampler: Sampler, _ isCancelled: () -> Bool,
    _ onDrawn: (TokenID) -> Void
  ) throws(GenerationError) {
    draft.removeAll(keepingCapacity: true)
    proposals.removeAll(keepingCapacity: true)
    (draftSeconds, refreshSeconds, hasDrafted) = (0, 0, false)
    let wanted = if case .fixed(let count) = length { min(most, count) } else { min(most, largest) }
    guard wanted > 0, length != .adaptive || gate.isOpen else { return }
    let begin = clock.now
    try drafter.catchUp()
    let ready = clock.now
    let observed = sampler.observedCount
    drafter.begin(after: last)
    economy.begin()
    while draft.count < wanted, !isCancelled() {
      if length == .adaptive, !draft.isEmpty, !economy.goesOn() { break }
      guard let proposal = try drafter.propose(position: start + 1 + draft.count, sampler) else { break }
      hasDrafted = true
      if length == .adaptive, !economy.accepts(proposal) { break }
      draft.append(proposal.token)
      proposals.append(proposal)
      sampler.observe(proposal.token)
      onDrawn(proposal.token)
      if stops.contains(proposal.token) { break }
    }
    drafter.forget(from: start)
    sampler.forget(downTo: observed)
    (refreshSeconds, draftSeconds) = ((ready - begin).seconds, (clock.now - ready).seconds)
  }

  /// What became of the last draft.
  ///
  /// - Parameters:
  ///   - kept: tokens of it that stayed: those that were right, or all where nothing is verified.
  ///   - running: seconds of the run over it.
  ///   - seconds: of the round, in which `settled` tokens were drawn.
  mutating func note(kept: Int, running: Double, settled: Int, seconds: Double) {
    for place in 0..<min(draft.count, kept + 1) { economy.note(proposals[place], isRight: place < kept) }
    economy.note(proposals: draft.count, seconds: draftSeconds)
    economy.note(run: draft.count + 1, running, settled: settled, seconds: seconds)
    gate.note(hasDrafted: hasDrafted, tokens: settled, seconds: seconds)
  }
}

extension Duration {
  var seconds: Double { self / .seconds(1) }
}
