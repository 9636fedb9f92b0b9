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
  private var candidates: CandidateSet
  /// Which tokens occurred, for the repetition penalty.
  private var hasOccurred: [Bool]
  private var occurred: [TokenID] = []
  /// The logits after the penalty.
  private let penalized: UnsafeMutableBufferPointer<Float>

  public init(_ options: SamplingOptions, vocabularyCount: Int) {
    precondition(options.problem == nil, "sampling options are checked before")
    self.options = options
    self.vocabularyCount = vocabularyCount
    let limitsCount = options.topK > 0 && options.topK < vocabularyCount
    candidates = CandidateSet(
      capacity: limitsCount ? options.topK : options.temperature > 0 && options.topP < 1 ? vocabularyCount : 1
    )
    let penalizes = options.repetitionPenalty != 1
    hasOccurred = Array(repeating: false, count: penalizes ? vocabularyCount : 0)
    occurred.reserveCapacity(penalizes ? 1024 : 0)
    penalized = .allocate(capacity: penalizes ? vocabularyCount : 0)
  }

  deinit { penalized.deallocate() }

  /// Notes a token of the text so far, prompt included, for the repetition penalty.
  public func observe(_ token: TokenID) {
    guard options.repetitionPenalty != 1, hasOccurred.indices.contains(Int(token)), !hasOccurred[Int(token)]
    else { return }
    hasOccurred[Int(token)] = true
    occurred.append(token)
  }

  /// The token for `position`, the number of tokens before it.
  ///
  /// - Throws: ``GenerationError`` when a logit is NaN or plus infinity, or all are minus infinity.
  public func next(_ logits: UnsafeBufferPointer<Float>, position: Int) throws(GenerationError) -> TokenID {
    precondition(logits.count == vocabularyCount, "one logit per token of the vocabulary")
    let row = penalize(logits)
    let maximum = LogitScan.maximum(row)
    guard maximum.isFinite else { throw Self.error(row, maximum, position) }
    let likeliest = row.firstIndex(of: maximum)!
    guard options.temperature > 0 else { return TokenID(likeliest) }

    let scale = 1 / options.temperature
    let floor = options.minP > 0 ? maximum + log(options.minP) / scale : -.infinity
    let noise = GumbelNoise(seed: options.seed, position: position)
    if options.topK > 0 && options.topK < row.count {
      candidates.select(options.topK, of: row)
      if options.topP < 1 {
        let total = candidates.weigh { exp(scale * ($0 - maximum)) }
        candidates.keepPreferred(reaching: Double(options.topP) * total)
      }
    } else if options.topP < 1 {
      selectByMass(row, maximum, scale, floor)
    } else {
      return drawFromAll(row, likeliest, scale, floor, noise)
    }
    return drawFromCandidates(scale, floor, noise)
  }

  private func penalize(_ logits: UnsafeBufferPointer<Float>) -> UnsafeBufferPointer<Float> {
    guard options.repetitionPenalty != 1 else { return logits }
    _ = penalized.update(from: logits)
    for token in occurred {
      let logit = penalized[Int(token)]
      penalized[Int(token)] =
        logit < 0 ? logit * options.repetitionPenalty : logit / options.repetitionPenalty
    }
    return UnsafeBufferPointer(penalized)
  }

  private static func error(_ row: UnsafeBufferPointer<Float>, _ maximum: Float, _ position: Int)
    -> GenerationError
  {
    if maximum == -.infinity { return .noChoice(position: position) }
    if let token = row.firstIndex(where: \.isNaN) { return .notANumber(token: token, position: position) }
    return .infiniteLogit(token: row.firstIndex(of: maximum) ?? 0, position: position)
  }

  // MARK: Top-p

  /// Makes the candidates those that top-p keeps.
  ///
  /// Tokens less likely than `(1 - topP) / count` together have less than `1 - topP`, so top-p drops all of them;
  /// only the others are looked at one by one.
  private func selectByMass(
    _ row: UnsafeBufferPointer<Float>, _ maximum: Float, _ scale: Float, _ floor: Float
  ) {
    let total = LogitScan.mass(row, maximum: maximum, scale: scale)
    let share = Float(total * Double(1 - options.topP) / Double(row.count))
    let threshold = max(floor, (maximum + log(share) / scale).nextDown)
    candidates.removeAll()
    LogitScan.forEach(row, from: threshold) { token, logit in
      candidates.append(logit, token)
      return threshold
    }
    _ = candidates.weigh { exp(scale * ($0 - maximum)) }
    candidates.keepPreferred(reaching: Double(options.topP) * total)
  }

  // MARK: Drawing

  private func drawFromCandidates(_ scale: Float, _ floor: Float, _ noise: GumbelNoise) -> TokenID {
    var (choice, best) = (TokenID.max, -Double.infinity)
    for index in 0..<candidates.count where candidates[index].logit >= floor {
      let (token, logit) = (candidates[index].token, candidates[index].logit)
      let value = Double(scale) * Double(logit) + noise(Int(token))
      if value > best || (value == best && token < choice) { (choice, best) = (token, value) }
    }
    return choice
  }

  /// The draw from all tokens. Most are passed over by a bound of their noise, which costs no logarithm.
  private func drawFromAll(
    _ row: UnsafeBufferPointer<Float>, _ likeliest: Int, _ scale: Float, _ floor: Float, _ noise: GumbelNoise
  ) -> TokenID {
    let scale = Double(scale)
    var (choice, best) = (likeliest, scale * Double(row[likeliest]) + noise(likeliest))
    func reach() -> Float { max(floor, Float((best - GumbelNoise.maximum) / scale).nextDown) }
    var threshold = reach()
    LogitScan.forEach(row, from: threshold) { token, logit in
      let hash = noise.hash(token)
      let score = scale * Double(logit)
      if score + GumbelNoise.bound(of: hash) < best { return threshold }
      let value = score + GumbelNoise.noise(of: hash)
      if value > best || (value == best && token < choice) {
        (choice, best) = (token, value)
        threshold = reach()
      }
      return threshold
    }
    return TokenID(choice)
  }
}
