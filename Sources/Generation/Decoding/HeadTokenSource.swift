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
  let acceptedCount = 0
  /// Tokens drawn from candidates and not verified yet.
  private var drawn: [TokenID] = []
  /// The most tokens that are verified at once.
  private let largest: Int
  private var economy: BlockEconomy
  private let clock = ContinuousClock()

  /// - Parameter logits: those of the last token of the prompt, whose tokens the sampler has observed.
  init(
    _ decoder: Decoder, _ sampler: Sampler, _ mode: HeadMode, _ options: TokenGenerator.Options, context: Int,
    _ logits: UnsafeBufferPointer<Float>
  ) throws(GenerationError) {
    (self.decoder, self.sampler, self.context) = (decoder, sampler, context)
    head = mode.kind == .hire ? decoder.denseHead : nil
    exactness = mode.exactness
    stops = options.stopTokens
    largest = max(1, min(options.verifiedTokens, head?.capacity ?? 1))
    economy = BlockEconomy(largest: largest)
    settled.reserveCapacity(largest)
    drawn.reserveCapacity(largest)
    settle(try sampler.next(logits, position: decoder.count))
  }

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
    switch exactness {
    case .none: try drawOne(after: last, head, &statistics)
    case .deferred: try drawBlock(after: last, head, limit, isCancelled, &statistics, onDrawn)
    case .certified: try drawCertified(after: last, head, &statistics)
    }
  }

  private func settle(_ token: TokenID) {
    sampler.observe(token)
    settled.append(token)
  }

  /// - Returns: nil where the candidates cannot tell.
  private func drawFromCandidates(after token: TokenID, _ head: DenseHead) throws(GenerationError) -> TokenID?
  {
    try decoder.feed(token, .candidates)
    head.keep(decoder.hiddenState())
    return try sampler.next(decoder.candidates(), position: decoder.count)
  }

  private func drawOne(after last: TokenID, _ head: DenseHead, _ statistics: inout GenerationStatistics)
    throws(GenerationError)
  {
    if let token = try drawFromCandidates(after: last, head) { return settle(token) }
    try drawDense(head, &statistics)
  }

  /// Draws from the hidden state that is kept.
  private func drawDense(_ head: DenseHead, _ statistics: inout GenerationStatistics) throws(GenerationError)
  {
    try head.run()
    statistics.denseFallbacks += 1
    settle(try sampler.next(head.logits(0), position: decoder.count))
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
    drawn.removeAll(keepingCapacity: true)
    // Bounds stand for all of the hidden states or for none. They leave thousands of rows for the k-th largest
    // logit, which cost more than all logits in one pass.
    var certifier = sampler.limitsCount ? nil : decoder.certifier
    certifier?.removeAll()
    var next = last
    while true {
      try decoder.feed(next, .candidates)
      head.keep(decoder.hiddenState())
      let candidates = decoder.candidates()
      if let some = certifier, try !some.keepBound(sampler, candidates, position: decoder.count) {
        certifier = nil
      }
      guard let token = try sampler.next(candidates, position: decoder.count) else { break }
      drawn.append(token)
      next = token
      sampler.observe(token)
      onDrawn(token)
      if drawn.count == wanted || stops.contains(token) || decoder.count == context || isCancelled() { break }
    }
    let end = clock.now
    sampler.forget(downTo: observed)
    let confirmed = try verify(head, certifier, from: start, &statistics)
    economy.note(
      drawn: drawn.count, (end - begin) / .seconds(1), verified: head.count, (clock.now - end) / .seconds(1),
      right: confirmed)
    guard confirmed < drawn.count else { return }
    statistics.mismatches += 1
    statistics.discardedTokens += drawn.count - confirmed - 1
    decoder.truncate(to: start + confirmed + 1)
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
