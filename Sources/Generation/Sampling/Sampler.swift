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
  /// The logits after the penalty.
  private let penalized: UnsafeMutableBufferPointer<Float>

  public init(_ options: SamplingOptions, vocabularyCount: Int) {
    precondition(options.problem == nil, "sampling options are checked before")
    self.options = options
    self.vocabularyCount = vocabularyCount
    selector = TokenSelector(options, vocabularyCount: vocabularyCount)
    let penalizes = options.repetitionPenalty != 1
    hasOccurred = Array(repeating: false, count: penalizes ? vocabularyCount : 0)
    occurred.reserveCapacity(penalizes ? vocabularyCount : 0)
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
    let likeliest = LogitScan.first(maximum, in: row)
    if options.isGreedy { return TokenID(likeliest) }

    let noise = GumbelNoise(seed: options.seed, position: position)
    return selector.draw(row, options, maximum, likeliest: likeliest, noise)
  }

  private func penalize(_ logits: UnsafeBufferPointer<Float>) -> UnsafeBufferPointer<Float> {
    guard options.repetitionPenalty != 1 else { return logits }
    _ = penalized.update(from: logits)
    for index in occurred.indices {
      let token = Int(occurred[index])
      let logit = penalized[token]
      penalized[token] =
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
}
