public import Tokenization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Draws tokens from logits: greedy, or the argmax of `logit / temperature + noise` over the tokens that are kept.
///
/// The noise depends on seed, position and token only (see ``GumbelNoise``), so the same logits give the same token
/// whenever and wherever they are drawn. Work per token is a few passes over the logits, without a sort and without
/// allocating. Not safe to use from two threads at once.
public final class Sampler {
  public let options: SamplingOptions
  public let vocabularyCount: Int
  private var selector: TokenSelector
  /// Which tokens occurred, for the repetition penalty.
  private var hasOccurred: [Bool]
  private var occurred: [TokenID] = []
  private let isBanned: [Bool]
  private let banned: [TokenID]
  /// The logits after penalty and bans.
  private var changed: UnsafeMutableBufferPointer<Float>

  public init(_ options: SamplingOptions, vocabularyCount: Int) {
    precondition(options.problem == nil, "sampling options are checked before")
    self.options = options
    self.vocabularyCount = vocabularyCount
    selector = TokenSelector(options, vocabularyCount: vocabularyCount)
    let penalizes = options.repetitionPenalty != 1
    hasOccurred = Array(repeating: false, count: penalizes ? vocabularyCount : 0)
    occurred.reserveCapacity(penalizes ? vocabularyCount : 0)
    banned = options.bannedTokens.filter { 0 <= $0 && $0 < vocabularyCount }
    var isBanned = Array(repeating: false, count: banned.isEmpty ? 0 : vocabularyCount)
    for token in banned { isBanned[Int(token)] = true }
    self.isBanned = isBanned
    changed = .allocate(capacity: penalizes || !banned.isEmpty ? vocabularyCount : 0)
  }

  deinit { changed.deallocate() }

  // MARK: What occurred

  /// Notes a token of the text so far, prompt included, for the repetition penalty.
  public func observe(_ token: TokenID) {
    guard options.repetitionPenalty != 1, hasOccurred.indices.contains(Int(token)), !hasOccurred[Int(token)]
    else { return }
    hasOccurred[Int(token)] = true
    occurred.append(token)
  }

  /// Distinct tokens noted so far.
  var observedCount: Int { occurred.count }

  /// Takes back what was noted since there were `count` distinct tokens.
  func forget(downTo count: Int) {
    while occurred.count > count { hasOccurred[Int(occurred.removeLast())] = false }
  }

  // MARK: Drawing

  /// The token for `position`, the number of tokens before it.
  ///
  /// - Throws: ``GenerationError`` when a logit is NaN or plus infinity, or all are minus infinity.
  public func next(_ logits: UnsafeBufferPointer<Float>, position: Int) throws(GenerationError) -> TokenID {
    precondition(logits.count == vocabularyCount, "one logit per token of the vocabulary")
    let row = LogitRow(logits: change(logits), tokens: nil)
    let maximum = LogitScan.maximum(row.logits)
    guard maximum.isFinite else { throw Self.error(row, maximum, position) }
    return draw(row, maximum, position) { _ in 0 }.token
  }

  /// The token for `position` out of a list of the likeliest ones.
  ///
  /// No token beyond the list is taken to have a larger logit than the least of the list. Top-p is a share of the
  /// mass of all tokens; what lies beyond the list is then as likely as its least token:
  ///
  ///     mass(beyond) = p(beyond) * exp(logNormalizer + least * (1 / temperature - 1))
  ///
  /// which is exact at temperature 1.
  ///
  /// - Returns: nil where tokens beyond the list might have been preferred: after penalty and bans, the choice is
  ///   less likely than one of them may be.
  /// - Throws: ``GenerationError`` when a logit is NaN or plus infinity.
  public func next(_ candidates: SparseLogits, position: Int) throws(GenerationError) -> TokenID? {
    let (count, least) = candidates.extent
    let row = LogitRow(logits: change(candidates), tokens: candidates.row.tokens)
    let maximum = LogitScan.maximum(row.logits)
    if maximum == -.infinity { return nil }
    guard maximum.isFinite else { throw Self.error(row, maximum, position) }
    let choice = draw(row, maximum, position) { scale in
      let exponent = Double(candidates.logNormalizer + least * (scale - 1) - scale * maximum)
      return count < vocabularyCount && least.isFinite ? candidates.massBeyond * exp(exponent) : 0
    }
    if count >= vocabularyCount { return choice.token }
    // A penalty below 1 may have raised a token that is not listed.
    let bound = occurred.isEmpty ? least : max(least, penalized(least))
    return choice.logit >= bound ? choice.token : nil
  }

  /// The token for `position` out of a list that holds every token that can be drawn, and all that decide which.
  ///
  /// - Throws: ``GenerationError`` when a logit is NaN or plus infinity, or all are minus infinity.
  func next(ofAll survivors: SparseLogits, position: Int) throws(GenerationError) -> TokenID {
    let row = LogitRow(logits: change(survivors), tokens: survivors.row.tokens)
    let maximum = LogitScan.maximum(row.logits)
    guard maximum.isFinite else { throw Self.error(row, maximum, position) }
    return draw(row, maximum, position) { _ in 0 }.token
  }

  private func draw(_ row: LogitRow, _ maximum: Float, _ position: Int, beyond: (Float) -> Double)
    -> (token: TokenID, logit: Float)
  {
    let likeliest = row.likeliest(maximum)
    if options.isGreedy { return (TokenID(likeliest), maximum) }
    let noise = GumbelNoise(seed: options.seed, position: position)
    return selector.draw(row, options, maximum, likeliest: likeliest, noise, beyond: beyond)
  }

  // MARK: Bounds

  /// Whether top-k leaves tokens out.
  var limitsCount: Bool { selector.limitsCount }

  /// Candidates after penalty and bans; nil when nothing is left of them.
  func changedRow(_ candidates: SparseLogits, _ position: Int) throws(GenerationError) -> LogitRow? {
    let row = LogitRow(logits: change(candidates), tokens: candidates.row.tokens)
    let maximum = LogitScan.maximum(row.logits)
    if maximum == -.infinity { return nil }
    guard maximum.isFinite else { throw Self.error(row, maximum, position) }
    return row
  }

  /// What min-p asks for.
  func floor(_ maximum: Float) -> Float { TokenSelector.floor(options, maximum) }

  /// The least of the `topK` largest logits of a row that has as many.
  func leastOfTop(_ row: LogitRow) -> Float? { selector.leastOfTop(options.topK, row) }

  /// The bound of a draw at a temperature alone.
  ///
  /// - Parameter shifts: gets a bound of the noise times the temperature of every token.
  func noiseBound(
    _ candidates: SparseLogits, _ row: LogitRow, _ position: Int, shifts: UnsafeMutablePointer<Float>
  ) -> DrawBound {
    let noise = GumbelNoise(seed: options.seed, position: position)
    let scale = Double(1 / options.temperature)
    for token in 0..<vocabularyCount {
      // A bound of few bits: rounded to f32 it is short of 2^-24 of it at most.
      shifts[token] = Float(GumbelNoise.bound(of: noise.hash(token)) / scale).nextUp
    }
    var best = -Double.infinity
    row.forEach(from: -.infinity) { token, logit in
      if logit > -.infinity { best = max(best, scale * Double(logit) + noise(token)) }
      return -.infinity
    }
    let exact = best / scale
    let threshold = Float(exact - 1e-9 * (1 + exact.magnitude)).nextDown
    var reached = 0
    for place in 0..<candidates.tokens.count where candidates.tokens[place] >= 0 {
      if candidates.logits[place] + shifts[Int(candidates.tokens[place])] >= threshold { reached += 1 }
    }
    return DrawBound(threshold: threshold, isShifted: true, reached: reached)
  }

  // MARK: Penalty and bans

  private func penalized(_ logit: Float) -> Float {
    logit < 0 ? logit * options.repetitionPenalty : logit / options.repetitionPenalty
  }

  private func change(_ logits: UnsafeBufferPointer<Float>) -> UnsafeBufferPointer<Float> {
    if occurred.isEmpty && banned.isEmpty { return logits }
    _ = changed.update(from: logits)
    for index in occurred.indices {
      let token = Int(occurred[index])
      changed[token] = penalized(changed[token])
    }
    for index in banned.indices { changed[Int(banned[index])] = -.infinity }
    return UnsafeBufferPointer(rebasing: changed[..<logits.count])
  }

  private func change(_ candidates: SparseLogits) -> UnsafeBufferPointer<Float> {
    if occurred.isEmpty && banned.isEmpty { return candidates.logits }
    if changed.count < candidates.logits.count {
      changed.deallocate()
      changed = .allocate(capacity: candidates.logits.count)
    }
    for place in 0..<candidates.tokens.count {
      let token = candidates.tokens[place]
      var logit = candidates.logits[place]
      if !occurred.isEmpty, token >= 0, hasOccurred[Int(token)] { logit = penalized(logit) }
      if !banned.isEmpty, token >= 0, isBanned[Int(token)] { logit = -.infinity }
      changed[place] = logit
    }
    return UnsafeBufferPointer(rebasing: changed[..<candidates.logits.count])
  }

  private static func error(_ row: LogitRow, _ maximum: Float, _ position: Int) -> GenerationError {
    if maximum == -.infinity { return .noChoice(position: position) }
    if let place = row.logits.firstIndex(where: \.isNaN) {
      return .notANumber(token: row.token(place), position: position)
    }
    let place = row.logits.firstIndex(of: maximum) ?? 0
    return .infiniteLogit(token: row.token(place), position: position)
  }
}
