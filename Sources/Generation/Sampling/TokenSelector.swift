import Tokenization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Draws a token where the options are not greedy: keeps what top-k, top-p and min-p keep, and takes the
/// largest `logit / temperature + noise` of that.
struct TokenSelector: ~Copyable {
  private var candidates: CandidateSet
  private var bands = LikelihoodBands()
  /// Whether top-k leaves tokens out.
  let limitsCount: Bool

  init(_ options: SamplingOptions, vocabularyCount: Int) {
    limitsCount = options.topK > 0 && options.topK < vocabularyCount
    candidates = CandidateSet(capacity: limitsCount ? options.topK : options.topP < 1 ? vocabularyCount : 1)
  }

  /// - Parameters:
  ///   - maximum: the largest logit, finite.
  ///   - likeliest: its token.
  ///   - beyond: the mass of tokens that are not in the row, as multiples of the likeliest's; asked for top-p.
  /// - Returns: the token and its logit.
  mutating func draw(
    _ row: LogitRow, _ options: SamplingOptions, _ maximum: Float, likeliest: Int, _ noise: GumbelNoise,
    beyond: (_ scale: Float) -> Double
  ) -> (token: TokenID, logit: Float) {
    let scale = 1 / options.temperature
    let floor = Self.floor(options, maximum)
    var draw = Draw(noise: noise, scale: Double(scale))
    if limitsCount && options.topK <= row.count {
      candidates.select(options.topK, of: row)
      if options.topP < 1 {
        // Sums are those of the same tokens wherever they were listed.
        candidates.sortSelected()
        let total = candidates.weigh { exp(scale * ($0 - maximum)) }
        candidates.keepPreferred(reaching: Double(options.topP) * total)
      }
    } else if options.topP < 1 {
      bands.sum(row.logits, maximum: maximum, scale: scale, beyond: beyond(scale))
      selectByMass(row, Double(options.topP), maximum, scale, floor)
    } else {
      drawFromAll(row, likeliest, maximum, floor, &draw)
      return (draw.choice, draw.logit)
    }
    for index in 0..<candidates.count where candidates[index].logit >= floor {
      _ = draw.consider(Int(candidates[index].token), candidates[index].logit)
    }
    return draw.best > -.infinity ? (draw.choice, draw.logit) : (TokenID(likeliest), maximum)
  }

  /// What min-p asks for.
  static func floor(_ options: SamplingOptions, _ maximum: Float) -> Float {
    options.minP > 0 ? maximum + log(options.minP) / (1 / options.temperature) : -.infinity
  }

  /// The least of the `k` largest logits of a row that has as many.
  mutating func leastOfTop(_ k: Int, _ row: LogitRow) -> Float? {
    candidates.select(k, of: row)
    return candidates.count == k ? candidates[0].logit : nil
  }

  // MARK: Top-p

  /// Makes the candidates those that top-p keeps of a row.
  ///
  /// 1. The mass of all tokens was summed in bands of equal likelihood.
  /// 2. Whole bands are kept as long as they do not reach the target together.
  /// 3. Of the band that does, the preferred tokens are kept.
  private mutating func selectByMass(
    _ row: LogitRow, _ topP: Double, _ maximum: Float, _ scale: Float, _ floor: Float
  ) {
    let (border, before) = bands.border(topP * bands.total)
    candidates.removeAll()
    collect(row, from: max(floor, bands.lowerBound(of: border - 1))) { $0 < border }
    let first = candidates.count
    collect(row, from: max(floor, bands.lowerBound(of: border))) { $0 == border }
    candidates.weigh(from: first) { exp(scale * ($0 - maximum)) }
    candidates.keepPreferred(from: first, reaching: topP * bands.total - before)
  }

  @inline(__always)
  private mutating func collect(
    _ row: LogitRow, from threshold: Float, _ isWanted: (Int) -> Bool
  ) {
    row.forEach(from: threshold) { token, logit in
      if logit > -.infinity, isWanted(bands.band(of: logit)) { candidates.append(logit, token) }
      return threshold
    }
  }

  // MARK: Drawing

  private func drawFromAll(
    _ row: LogitRow, _ likeliest: Int, _ maximum: Float, _ floor: Float, _ draw: inout Draw
  ) {
    _ = draw.consider(likeliest, maximum)
    var threshold = max(floor, draw.reach)
    row.forEach(from: threshold) { token, logit in
      if draw.consider(token, logit) { threshold = max(floor, draw.reach) }
      return threshold
    }
  }
}

/// The largest `scale * logit + noise` so far. Most tokens are passed over by a bound of their noise, which costs no
/// logarithm.
private struct Draw {
  let noise: GumbelNoise
  let scale: Double
  var choice = TokenID.max
  var logit = -Float.infinity
  var best = -Double.infinity

  /// - Returns: whether the token is the best so far.
  @inline(__always)
  mutating func consider(_ token: Int, _ logit: Float) -> Bool {
    let hash = noise.hash(token)
    let score = scale * Double(logit)
    if score + GumbelNoise.bound(of: hash) < best { return false }
    let value = score + GumbelNoise.noise(of: hash)
    guard value > best || (value == best && token < choice) else { return false }
    (choice, best) = (TokenID(truncatingIfNeeded: token), value)
    self.logit = logit
    return true
  }

  /// Smaller logits cannot win any more.
  var reach: Float { Float((best - GumbelNoise.maximum) / scale).nextDown }
}
