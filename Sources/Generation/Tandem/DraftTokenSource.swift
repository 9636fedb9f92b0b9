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
/// drafter's but for each block's last token. How much of it the decoder would have drawn is counted beside what stays.
///
/// - Source: Tandem Transformers, papers.md 2.4 and 2.5.
final class DraftTokenSource: TokenSource {
  private let decoder: Decoder
  private let sampler: Sampler
  private let isVerified: Bool
  /// Tokens of the sequence at most.
  private let context: Int
  private var proposer: DraftProposer
  private(set) var settled: [TokenID] = []
  private var acceptedCount = 0
  /// The last token and the draft behind it: what the decoder runs.
  private var block: [TokenID] = []
  private let clock = ContinuousClock()

  /// - Parameter logits: those of the last token of the prompt, whose tokens sampler and drafter know.
  init(
    _ decoder: Decoder, _ drafting: Drafting, _ sampler: Sampler, _ options: TokenGenerator.Options,
    context: Int, _ logits: UnsafeBufferPointer<Float>
  ) throws(GenerationError) {
    (self.decoder, self.sampler, self.context) = (decoder, sampler, context)
    isVerified = options.verifiesDrafts
    proposer = DraftProposer(drafting, options, rows: decoder.verifiedCount)
    settled.reserveCapacity(proposer.largest + 1)
    block.reserveCapacity(proposer.largest + 1)
    settle(try sampler.next(logits, position: decoder.count))
  }

  func wasProposed(_ place: Int) -> Bool { place < acceptedCount }

  func advance(
    limit: Int, isCancelled: () -> Bool, _ statistics: inout GenerationStatistics, onDrawn: (TokenID) -> Void
  ) throws(GenerationError) {
    let start = decoder.count
    let begin = clock.now
    block.removeAll(keepingCapacity: true)
    block.append(settled[settled.count - 1])
    settled.removeAll(keepingCapacity: true)
    // The run gives one token beside the draft; all that it takes must fit the context.
    let most = min(limit - 1, context - start - 1)
    try proposer.propose(after: block[0], start, most: most, sampler, isCancelled, onDrawn)
    let drafted = clock.now
    let count = proposer.draft.count
    for place in 0..<count { block.append(proposer.draft[place]) }
    let head = decoder.headSeconds
    try decoder.feedBlock(block)
    let headSeconds = decoder.headSeconds - head
    let ran = clock.now
    let observed = sampler.observedCount
    let right = try confirm(start)
    let confirmed = isVerified || right == count ? right : try keepAll(start, observed: observed)
    acceptedCount = confirmed
    let drawn = clock.now
    try proposer.drafter.keep(block, confirmed + 1, decoder)
    let kept = clock.now
    decoder.truncate(to: start + confirmed + 1)
    let end = clock.now

    proposer.note(
      kept: confirmed, running: (ran - drafted).seconds, settled: settled.count,
      seconds: (end - begin).seconds)
    statistics.discardedTokens += max(0, count - confirmed - 1)
    statistics.draft.note(drafted: count, accepted: confirmed, right: right)
    statistics.draft.seconds.small += proposer.draftSeconds
    statistics.draft.seconds.large += (ran - drafted).seconds - headSeconds
    statistics.draft.seconds.head += headSeconds
    statistics.draft.seconds.sampling += (drawn - ran).seconds
    statistics.draft.seconds.refresh += proposer.refreshSeconds + (kept - drawn).seconds
    statistics.draft.seconds.rollBack += (end - kept).seconds
  }

  /// Draws from the rows of the run as long as they are what was proposed.
  ///
  /// - Returns: how many proposals are right.
  private func confirm(_ start: Int) throws(GenerationError) -> Int {
    try sampler.confirm(proposer.draft, rows: block.count, from: start, into: &settled) {
      (row, position) throws(GenerationError) in
      try sampler.next(try decoder.logits(back: block.count - 1 - row), position: position)
    }
  }

  /// Settles the whole draft, and the token that the decoder draws behind it, in place of what is settled.
  ///
  /// - Parameter observed: distinct tokens that the sampler knew before.
  private func keepAll(_ start: Int, observed: Int) throws(GenerationError) -> Int {
    sampler.forget(downTo: observed)
    settled.removeAll(keepingCapacity: true)
    for place in 0..<proposer.draft.count { settle(proposer.draft[place]) }
    settle(try sampler.next(try decoder.logits(), position: start + block.count))
    return proposer.draft.count
  }

  private func settle(_ token: TokenID) {
    sampler.observe(token)
    settled.append(token)
  }
}
