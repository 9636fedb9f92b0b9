import Tokenization

/// Draws tokens by one run of the decoder each: one by one, or - where the dense head verifies what candidates gave -
/// as many as one pass over its weights settles.
///
/// Verification is deferred. Only the head is approximated, so as long as all tokens are right, hidden states are
/// those of dense decoding:
///
/// 1. Tokens are drawn from candidates, each fed to draw the next one, and the hidden states that they were drawn
///    from are kept, until there are enough (``BlockEconomy``) or the text may end.
/// 2. The dense head computes the logits of all kept hidden states at once; in plans with bounds, only those that
///    may matter are computed, as below.
/// 3. Row by row the same token must come out of these logits, with the same options and the same noise.
/// 4. The first that does not is replaced; those after it are taken back, in the caches too.
///
/// So the tokens are those of dense decoding, bit for bit, and the weights of the head are read once for several.
///
/// With a drafter, a run of step 1 goes over the last token and a draft behind it; candidates tell how much of that is
/// right, as in ``DraftTokenSource``, and the weights of the layers are read once for several tokens, too.
///
/// Certification settles each token at once:
///
/// 1. The exact logits of the candidates tell a threshold that the token drawn must reach, and all tokens that decide
///    which it is (``DrawBound``).
/// 2. Upper bounds of the logits of all tokens, from its high nibbles or a smaller copy, leave few that may reach it.
/// 3. The logits of these are computed exactly, with the bits of the dense head, and the token is drawn from them.
/// 4. Where there is no threshold, or more tokens are left than fit, the dense head draws.
final class HeadTokenSource: TokenSource {
  private let decoder: Decoder
  private let sampler: Sampler
  /// The head that verifies or helps out; nil when it draws every token.
  private let head: DenseHead?
  private let exactness: HeadMode.Exactness
  /// Tokens after which the text may end.
  private let stops: Set<TokenID>
  /// Tokens of the sequence at most.
  private let context: Int
  private(set) var settled: [TokenID] = []
  /// Tokens drawn from candidates and not verified yet, and which of them were proposed.
  private var drawn: [TokenID] = []
  private var isProposed: [Bool] = []
  /// What proposes tokens for runs; nil where nothing does.
  private var proposer: DraftProposer?
  /// The last token and the draft behind it: what the decoder runs.
  private var block: [TokenID] = []
  /// The most tokens that are verified at once.
  private let largest: Int
  private var economy: BlockEconomy
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - logits: those of the last token of the prompt, whose tokens sampler and drafter know.
  ///   - drafting: what proposes tokens for runs that give candidates.
  init(
    _ decoder: Decoder, _ sampler: Sampler, _ mode: HeadMode, _ options: TokenGenerator.Options, context: Int,
    _ logits: UnsafeBufferPointer<Float>, drafting: Drafting? = nil
  ) throws(GenerationError) {
    (self.decoder, self.sampler, self.context) = (decoder, sampler, context)
    head = mode.kind == .hire ? decoder.denseHead : nil
    exactness = mode.exactness
    stops = options.stopTokens
    largest = max(1, min(options.verifiedTokens, head?.capacity ?? 1))
    economy = BlockEconomy(largest: largest)
    if let drafting, let head, mode.exactness != .certified {
      proposer = DraftProposer(drafting, options, rows: min(decoder.candidateLimit, head.capacity))
    }
    // Where nothing is verified later, a run settles all that it draws.
    let most = max(largest, 1 + (proposer?.largest ?? 0))
    settled.reserveCapacity(most)
    drawn.reserveCapacity(most)
    isProposed.reserveCapacity(most)
    block.reserveCapacity(most)
    settle(try sampler.next(logits, position: decoder.count))
  }

  func wasProposed(_ place: Int) -> Bool { place < isProposed.count && isProposed[place] }

  func advance(
    limit: Int, isCancelled: () -> Bool, _ statistics: inout GenerationStatistics, onDrawn: (TokenID) -> Void
  ) throws(GenerationError) {
    let last = settled[settled.count - 1]
    settled.removeAll(keepingCapacity: true)
    guard let head else {
      try decoder.feed(last)
      return settle(try sampler.next(try decoder.logits(), position: decoder.count))
    }
    head.removeAll()
    drawn.removeAll(keepingCapacity: true)
    isProposed.removeAll(keepingCapacity: true)
    switch exactness {
    case .none: try drawUnverified(after: last, head, limit, isCancelled, &statistics)
    case .deferred: try drawBlock(after: last, head, limit, isCancelled, &statistics, onDrawn)
    case .certified: try drawCertified(after: last, head, &statistics)
    }
  }

  private func settle(_ token: TokenID) {
    sampler.observe(token)
    settled.append(token)
  }

  /// Draws tokens from the candidates of one run, over the last token and a draft, into ``drawn``.
  ///
  /// The head keeps the hidden states that they were drawn from.
  ///
  /// - Parameters:
  ///   - certifier: keeps what each of these tokens must reach; nil afterwards where one has no bound.
  ///   - most: tokens to draw.
  /// - Returns: whether the candidates could tell; otherwise the head has one state more than there are tokens.
  private func drawRun(
    after last: TokenID, _ head: DenseHead, _ certifier: inout Certifier?, _ most: Int,
    _ isCancelled: () -> Bool,
    _ statistics: inout GenerationStatistics, _ onDrawn: (TokenID) -> Void
  ) throws(GenerationError) -> Bool {
    let (start, begin) = (decoder.count, clock.now)
    block.removeAll(keepingCapacity: true)
    block.append(last)
    try proposer?.propose(
      after: last, start, most: min(most - 1, context - start - 1), sampler, isCancelled, { _ in })
    let draftCount = proposer?.draft.count ?? 0
    for place in 0..<draftCount { block.append(proposer!.draft[place]) }
    let drafted = clock.now
    try decoder.feedBlock(block, .candidates)
    let ran = clock.now
    var (right, isTold, goesOn) = (0, true, true)
    while goesOn {
      head.keep(decoder.hiddenState(back: draftCount - right))
      let candidates = decoder.candidates(back: draftCount - right)
      if let some = certifier, try !some.keepBound(sampler, candidates, position: start + right + 1) {
        certifier = nil
      }
      guard let token = try sampler.next(candidates, position: start + right + 1) else {
        isTold = false
        break
      }
      let isRight = right < draftCount && token == block[right + 1]
      drawn.append(token)
      isProposed.append(isRight)
      sampler.observe(token)
      onDrawn(token)
      goesOn = isRight && !stops.contains(token)
      if isRight { right += 1 }
    }
    guard proposer != nil else { return isTold }
    let sampled = clock.now
    // The state behind a stop token at the end of a draft was not drawn from.
    let fed = goesOn || right == 0 || !isProposed[isProposed.count - 1] ? right + 1 : right
    decoder.truncate(to: start + fed)
    try proposer?.drafter.keep(block, fed, decoder)
    let end = clock.now
    note(&statistics, right, ran: (ran - drafted).seconds, refreshed: (end - sampled).seconds)
    statistics.draft.seconds.sampling += (sampled - ran).seconds
    proposer?.note(
      kept: right, running: (ran - drafted).seconds, settled: fed, seconds: (end - begin).seconds)
    return isTold
  }

  private func note(_ statistics: inout GenerationStatistics, _ right: Int, ran: Double, refreshed: Double) {
    guard let proposer else { return }
    statistics.draft.note(drafted: proposer.draft.count, accepted: right, right: right)
    statistics.draft.seconds.small += proposer.draftSeconds
    statistics.draft.seconds.large += ran
    statistics.draft.seconds.refresh += proposer.refreshSeconds + refreshed
  }

  private func drawUnverified(
    after last: TokenID, _ head: DenseHead, _ limit: Int, _ isCancelled: () -> Bool,
    _ statistics: inout GenerationStatistics
  ) throws(GenerationError) {
    var certifier: Certifier?
    let isTold = try drawRun(after: last, head, &certifier, limit, isCancelled, &statistics) { _ in }
    for place in 0..<drawn.count { settled.append(drawn[place]) }
    if !isTold { try drawDense(head, &statistics) }
  }

  /// Draws from the hidden state that was kept last.
  private func drawDense(_ head: DenseHead, _ statistics: inout GenerationStatistics) throws(GenerationError)
  {
    try head.run()
    statistics.denseFallbacks += 1
    settle(try sampler.next(head.logits(head.count - 1), position: decoder.count))
  }

  private func drawCertified(after last: TokenID, _ head: DenseHead, _ statistics: inout GenerationStatistics)
    throws(GenerationError)
  {
    guard let certifier = decoder.certifier else {
      preconditionFailure("the plan has been checked for bounds")
    }
    certifier.removeAll()
    try decoder.feed(last, .candidates)
    head.keep(decoder.hiddenState())
    if try certifier.keepBound(sampler, decoder.candidates(), position: decoder.count) {
      try certifier.run(head)
      if let tokens = survivors(0, certifier, &statistics) {
        return settle(try sampler.next(ofAll: tokens, position: decoder.count))
      }
    }
    try drawDense(head, &statistics)
  }

  /// What bounds left of a hidden state; nil when it is more than fits.
  private func survivors(_ row: Int, _ certifier: Certifier, _ statistics: inout GenerationStatistics)
    -> SparseLogits?
  {
    let (count, tokens) = certifier.survivors(row)
    statistics.survivors.note(max(0, count - certifier.bounds[row].reached))
    if tokens == nil { statistics.overflows += 1 }
    return tokens
  }

  // MARK: Deferred verification

  private func drawBlock(
    after last: TokenID, _ head: DenseHead, _ limit: Int, _ isCancelled: () -> Bool,
    _ statistics: inout GenerationStatistics, _ onDrawn: (TokenID) -> Void
  ) throws(GenerationError) {
    let (start, observed, begin) = (decoder.count, sampler.observedCount, clock.now)
    let wanted = min(limit, economy.length)
    // Bounds stand for all of the hidden states or for none. They leave thousands of rows for the k-th largest
    // logit, which cost more than all logits in one pass.
    var certifier = sampler.limitsCount ? nil : decoder.certifier
    certifier?.removeAll()
    while true {
      let isTold = try drawRun(
        after: drawn.isEmpty ? last : drawn[drawn.count - 1], head, &certifier, wanted - drawn.count,
        isCancelled, &statistics, onDrawn)
      guard isTold, drawn.count < wanted, !stops.contains(drawn[drawn.count - 1]) else { break }
      if decoder.count == context || isCancelled() { break }
    }
    let end = clock.now
    sampler.forget(downTo: observed)
    let confirmed = try verify(head, certifier, from: start, &statistics)
    let verifying = (clock.now - end).seconds
    economy.note(
      drawn: drawn.count, (end - begin).seconds, verified: head.count, verifying, right: confirmed)
    if proposer != nil { statistics.draft.seconds.head += verifying }
    guard confirmed < drawn.count else { return }
    statistics.mismatches += 1
    statistics.discardedTokens += drawn.count - confirmed - 1
    isProposed[confirmed] = false
    decoder.truncate(to: start + confirmed + 1)
    proposer?.drafter.forget(from: start + confirmed + 1)
  }

  /// Draws the tokens behind the hidden states that are kept again, by bounds or from all logits.
  ///
  /// - Returns: how many of ``drawn`` are right.
  private func verify(
    _ head: DenseHead, _ certifier: Certifier?, from start: Int, _ statistics: inout GenerationStatistics
  ) throws(GenerationError) -> Int {
    statistics.verifiedPasses += 1
    var isDense = certifier == nil
    try isDense ? head.run() : certifier?.run(head)
    return try sampler.confirm(drawn, rows: head.count, from: start, into: &settled) {
      (row, position) throws(GenerationError) in
      if let certifier, let tokens = survivors(row, certifier, &statistics) {
        return try sampler.next(ofAll: tokens, position: position)
      }
      // Where candidates could not tell, the last row had no token yet.
      if certifier != nil || row == drawn.count { statistics.denseFallbacks += 1 }
      if !isDense { try head.run() }
      isDense = true
      return try sampler.next(head.logits(row), position: position)
    }
  }
}
