import Tokenization

/// Draws tokens that a drafter proposed and the decoder verified, as many as one run settles.
///
///     text:    ... t                    t is drawn, and not in the caches yet
///     draft:         a  b  c            by the drafter
///     run:         [t  a  b  c]         logits behind each, from one reading of the weights
///     drawn:         a  b  x            x in place of c: the free token; a, b stay in the caches, c is taken back
///
/// Runs of the decoder give the same bits for a token alone and in a block, and the noise of a position depends on
/// the seed alone, so the tokens are those of plain decoding, greedy or sampled, whatever is proposed.
///
/// Unverified, the whole draft stays and c is kept in place of x: the paper's standalone form, whose text is the
/// drafter's but for each block's last token. How much of it the decoder would have drawn is counted all the same.
///
/// - Source: Tandem Transformers, papers.md 2.4 and 2.5.
final class DraftTokenSource: TokenSource {
  private let decoder: Decoder
  private let drafter: any Drafter
  private let sampler: Sampler
  private let length: BlockLength
  private let isVerified: Bool
  private let stops: Set<TokenID>
  /// Tokens of the sequence at most.
  private let context: Int
  private var economy = DraftEconomy()
  private(set) var settled: [TokenID] = []
  private(set) var acceptedCount = 0
  /// The last token and the draft behind it: what the decoder runs.
  private var block: [TokenID] = []
  private var draft: [TokenID] = []
  private var proposals: [Proposal] = []
  /// Tokens of a draft at most.
  private let largest: Int
  private let clock = ContinuousClock()

  /// - Parameter logits: those of the last token of the prompt, whose tokens sampler and drafter know.
  init(
    _ decoder: Decoder, _ drafting: Drafting, _ sampler: Sampler, _ options: TokenGenerator.Options,
    context: Int, _ logits: UnsafeBufferPointer<Float>
  ) throws(GenerationError) {
    (self.decoder, drafter, self.sampler, self.context) = (decoder, drafting.drafter, sampler, context)
    (length, stops, isVerified) = (options.blockLength, options.stopTokens, options.verifiesDrafts)
    largest = min(length == .adaptive ? drafting.limit : BlockLength.largest, decoder.verifiedCount - 1)
    settled.reserveCapacity(largest + 1)
    block.reserveCapacity(largest + 1)
    draft.reserveCapacity(largest)
    proposals.reserveCapacity(largest)
    settle(try sampler.next(logits, position: decoder.count))
  }

  func advance(
    limit: Int, isCancelled: () -> Bool, _ statistics: inout GenerationStatistics, onDrawn: (TokenID) -> Void
  ) throws(GenerationError) {
    let start = decoder.count
    let begin = clock.now
    block.removeAll(keepingCapacity: true)
    block.append(settled[settled.count - 1])
    settled.removeAll(keepingCapacity: true)
    // The run gives one token beside the draft; all that it takes must fit the context.
    try propose(min(largest, min(limit - 1, context - start - 1)), start, isCancelled, onDrawn)
    let drafted = clock.now
    for token in draft { block.append(token) }
    let head = decoder.headSeconds
    try decoder.feedBlock(block)
    let headSeconds = decoder.headSeconds - head
    let ran = clock.now
    let observed = sampler.observedCount
    let right = try sampler.confirm(draft, rows: block.count, from: start, into: &settled) {
      (row) throws(GenerationError) in try decoder.logits(back: block.count - 1 - row)
    }
    let confirmed = isVerified || right == draft.count ? right : try keepAll(start, observed: observed)
    acceptedCount = confirmed
    let drawn = clock.now
    try drafter.keep(block, confirmed + 1, decoder)
    let kept = clock.now
    decoder.truncate(to: start + confirmed + 1)
    let end = clock.now

    for place in 0..<min(draft.count, right + 1) {
      economy.note(proposals[place], isRight: place < right)
    }
    economy.note(proposals: draft.count, seconds: (drafted - begin).seconds)
    economy.note(
      run: block.count, (ran - drafted).seconds, settled: settled.count, seconds: (end - begin).seconds)
    statistics.discardedTokens += max(0, draft.count - confirmed - 1)
    statistics.draft.note(drafted: draft.count, accepted: right)
    statistics.draft.seconds.small += (drafted - begin).seconds
    statistics.draft.seconds.large += (ran - drafted).seconds - headSeconds
    statistics.draft.seconds.head += headSeconds
    statistics.draft.seconds.sampling += (drawn - ran).seconds
    statistics.draft.seconds.refresh += (kept - drawn).seconds
    statistics.draft.seconds.rollBack += (end - kept).seconds
  }

  /// Settles the whole draft, and the token that the decoder draws behind it, in place of what is settled.
  ///
  /// - Parameter observed: distinct tokens that the sampler knew before.
  private func keepAll(_ start: Int, observed: Int) throws(GenerationError) -> Int {
    sampler.forget(downTo: observed)
    settled.removeAll(keepingCapacity: true)
    for token in draft { settle(token) }
    settle(try sampler.next(try decoder.logits(), position: start + block.count))
    return draft.count
  }

  private func settle(_ token: TokenID) {
    sampler.observe(token)
    settled.append(token)
  }

  /// Fills ``draft`` with at most `most` tokens.
  private func propose(
    _ most: Int, _ start: Int, _ isCancelled: () -> Bool, _ onDrawn: (TokenID) -> Void
  ) throws(GenerationError) {
    draft.removeAll(keepingCapacity: true)
    proposals.removeAll(keepingCapacity: true)
    let wanted = if case .fixed(let count) = length { min(most, count) } else { most }
    guard wanted > 0 else { return }
    let observed = sampler.observedCount
    drafter.begin(after: block[0])
    economy.begin()
    while draft.count < wanted, !isCancelled() {
      if length == .adaptive, !draft.isEmpty, !economy.goesOn() { break }
      guard let proposal = try drafter.propose(position: start + 1 + draft.count, sampler) else { break }
      if length == .adaptive, !economy.accepts(proposal) { break }
      draft.append(proposal.token)
      proposals.append(proposal)
      sampler.observe(proposal.token)
      onDrawn(proposal.token)
      if stops.contains(proposal.token) { break }
    }
    drafter.end(finished: start)
    sampler.forget(downTo: observed)
  }
}

extension Duration {
  fileprivate var seconds: Double { self / .seconds(1) }
}
