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

  init(_ options: SamplingOptions, vocabularyCount: Int) {
    let limitsCount = options.topK > 0 && options.topK < vocabularyCount
    candidates = CandidateSet(capacity: limitsCount ? options.topK : options.topP < 1 ? vocabularyCount : 1)
  }

  /// - Parameters:
  ///   - maximum: the largest logit, finite.
  ///   - likeliest: its token.
  mutating func draw(
    _ row: UnsafeBufferPointer<Float>, _ options: SamplingOptions, _ maximum: Float, likeliest: Int,
    _ noise: GumbelNoise
  ) -> TokenID {
    let scale = 1 / options.temperature
    let floor = options.minP > 0 ? maximum + log(options.minP) / scale : -.infinity
    var draw = Draw(noise: noise, scale: Double(scale))
    if options.topK > 0 && options.topK < row.count {
      candidates.select(options.topK, of: row)
      if options.topP < 1 {
        let total = candidates.weigh { exp(scale * ($0 - maximum)) }
        candidates.keepPreferred(reaching: Double(options.topP) * total)
      }
    } else if options.topP < 1 {
      selectByMass(row, Double(options.topP), maximum, scale, floor)
    } else {
      return drawFromAll(row, likeliest, floor, &draw)
    }
    for index in 0..<candidates.count where candidates[index].logit >= floor {
      _ = draw.consider(Int(candidates[index].token), candidates[index].logit)
    }
    return draw.best > -.infinity ? draw.choice : TokenID(likeliest)
  }

  // MARK: Top-p

  /// Makes the candidates those that top-p keeps.
  ///
  /// 1. The mass of all tokens is summed in bands of equal likelihood.
  /// 2. Whole bands are kept as long as they do not reach the target together.
  /// 3. Of the band that does, the preferred tokens are kept.
  private mutating func selectByMass(
    _ row: UnsafeBufferPointer<Float>, _ topP: Double, _ maximum: Float, _ scale: Float, _ floor: Float
  ) {
    bands.sum(row, maximum: maximum, scale: scale)
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
    _ row: UnsafeBufferPointer<Float>, from threshold: Float, _ isWanted: (Int) -> Bool
  ) {
    LogitScan.forEach(row, from: threshold) { token, logit in
      if isWanted(bands.band(of: logit)) { candidates.append(logit, token) }
      return threshold
    }
  }

  // MARK: Drawing

  private func drawFromAll(
    _ row: UnsafeBufferPointer<Float>, _ likeliest: Int, _ floor: Float, _ draw: inout Draw
  ) -> TokenID {
    _ = draw.consider(likeliest, row[likeliest])
    var threshold = max(floor, draw.reach)
    LogitScan.forEach(row, from: threshold) { token, logit in
      if draw.consider(token, logit) { threshold = max(floor, draw.reach) }
      return threshold
    }
    return draw.choice
  }
}

/// The largest `scale * logit + noise` so far. Most tokens are passed over by a bound of their noise, which costs no
/// logarithm.
private struct Draw {
  let noise: GumbelNoise
  let scale: Double
  var choice = TokenID.max
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
    return true
  }

  /// Smaller logits cannot win any more.
  var reach: Float { Float((best - GumbelNoise.maximum) / scale).nextDown }
}
