import Tokenization

/// Times the phases of a decoder, each from caches that hold `depth` tokens already.
///
/// Tokens are made up: what a dense model computes takes the same time for any.
public final class DecoderTimer {
  private let decoder: Decoder
  private let exactness: HeadMode.Exactness
  private let vocabularyCount: Int
  /// Prompt tokens per run, as ``TokenGenerator`` takes them.
  private let chunk: Int
  /// What a HiRE head did in all measurements since ``forget()``; times are those of the last.
  public private(set) var statistics = GenerationStatistics()

  /// - Parameters:
  ///   - capacity: the most tokens that a measurement ends with.
  ///   - exactness: what is done about the misses of a HiRE head, where the decoder has one.
  public init(_ decoder: Decoder, capacity: Int, exactness: HeadMode.Exactness) throws(GenerationError) {
    (self.decoder, self.exactness) = (decoder, exactness)
    chunk = decoder.limit(TokenGenerator.Options().chunk)
    try decoder.reset(capacity: capacity)
    try decoder.feed(CollectionOfOne(1), .last)
    vocabularyCount = try decoder.logits().count
    decoder.truncate(to: 0)
  }

  /// Seconds to read a prompt of `count` tokens and to have the logits of its last one.
  public func prefill(_ count: Int, depth: Int) throws(GenerationError) -> Double {
    try fill(to: depth)
    return try seconds { () throws(GenerationError) in try read(tokens(count), .last) }
  }

  /// Seconds to generate `count` tokens, the most likely one each time.
  public func decode(_ count: Int, depth: Int) throws(GenerationError) -> Double {
    if decoder.denseHead != nil { return try generate(count, depth: depth) }
    try fill(to: depth)
    let sampler = Sampler(SamplingOptions(), vocabularyCount: vocabularyCount)
    var token = self.token(depth)
    return try seconds { () throws(GenerationError) in
      for _ in 0..<count {
        try decoder.feed(CollectionOfOne(token), .last)
        token = try sampler.next(decoder.logits(), position: decoder.count)
      }
    }
  }

  /// As ``decode(_:depth:)`` by a HiRE head, whose tokens may be verified in blocks: the generator's own clock.
  private func generate(_ count: Int, depth: Int) throws(GenerationError) -> Double {
    decoder.truncate(to: 0)
    var options = TokenGenerator.Options()
    (options.maxTokens, options.exactness) = (count + 1, exactness)
    let output = try TokenGenerator(decoder, context: decoder.capacity + 1)
      .generate(tokens(max(1, depth)), options)
    var statistics = output.statistics
    statistics.addCounts(of: self.statistics)
    self.statistics = statistics
    let drawn = max(1, output.statistics.tokenSeconds.count)
    return output.statistics.decodeSeconds * Double(count) / Double(drawn)
  }

  /// Starts ``statistics`` anew.
  public func forget() { statistics = GenerationStatistics() }

  /// Seconds of one run over `count` tokens with the logits of all of them.
  public func block(_ count: Int, depth: Int) throws(GenerationError) -> Double {
    try fill(to: depth)
    return try seconds { () throws(GenerationError) in try decoder.feed(tokens(count), .all) }
  }

  /// The least seconds of a few runs over 1, 2, ... tokens.
  static func blockSeconds(_ decoder: Decoder, upTo count: Int, depth: Int, turns: Int)
    throws(GenerationError)
    -> [Double]
  {
    let timer = try DecoderTimer(decoder, capacity: depth + count, exactness: .none)
    var seconds = [Double](repeating: .infinity, count: count)
    // In turns, so that a moment in which the machine is busy is not that of one length.
    for _ in 0..<turns {
      for size in 1...count {
        seconds[size - 1] = min(seconds[size - 1], try timer.block(size, depth: depth))
      }
    }
    return seconds
  }

  // MARK: Tokens

  private func token(_ index: Int) -> TokenID { TokenID((index &* 7919 + 1) % vocabularyCount) }

  private func tokens(_ count: Int) -> [TokenID] { (decoder.count..<decoder.count + count).map(token) }

  /// Caches are only ever appended to, so what an earlier measurement left there is as good as new.
  private func fill(to depth: Int) throws(GenerationError) {
    decoder.truncate(to: depth)
    try read(tokens(depth - decoder.count), .none)
  }

  private func read(_ tokens: [TokenID], _ logits: Decoder.Logits) throws(GenerationError) {
    for start in stride(from: 0, to: tokens.count, by: chunk) {
      let end = min(tokens.count, start + chunk)
      try decoder.feed(tokens[start..<end], end == tokens.count ? logits : .none)
    }
  }

  private func seconds(_ body: () throws(GenerationError) -> Void) throws(GenerationError) -> Double {
    let start = ContinuousClock.now
    try body()
    return (ContinuousClock.now - start) / .seconds(1)
  }
}
