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

  // MARK: Drafters

  /// Starts anew with `depth` tokens that drafters know, too.
  func fill(to depth: Int, _ drafters: [any Drafter]) throws(GenerationError) {
    decoder.truncate(to: 0)
    try read(tokens(depth), .none) { piece throws(GenerationError) in
      for drafter in drafters { try drafter.keep(piece, piece.count, decoder) }
    }
  }

  /// Seconds of a greedy draft of `count` tokens, behind `depth` that the drafter knows.
  func draft(_ count: Int, by drafter: any Drafter, depth: Int) throws(GenerationError) -> Double {
    decoder.truncate(to: depth)
    defer { drafter.forget(from: depth) }
    let sampler = Sampler(SamplingOptions(), vocabularyCount: vocabularyCount)
    return try seconds { () throws(GenerationError) in
      drafter.begin(after: token(depth))
      for place in 0..<count {
        guard try drafter.propose(position: depth + 1 + place, sampler) != nil else { break }
      }
    }
  }

  /// Seconds that each drafter takes to know the tokens of a run over `count` of them, behind `depth` that it knows.
  func refreshes(_ count: Int, _ drafters: [any Drafter], depth: Int) throws(GenerationError) -> [Double] {
    decoder.truncate(to: depth)
    let tokens = tokens(count)
    try decoder.feedBlock(tokens)
    defer { for drafter in drafters { drafter.forget(from: depth) } }
    var all: [Double] = []
    for drafter in drafters {
      all.append(
        try seconds { () throws(GenerationError) in
          try drafter.keep(tokens, count, decoder)
          try drafter.catchUp()
        })
    }
    return all
  }

  // MARK: Tokens

  private func token(_ index: Int) -> TokenID { TokenID((index &* 7919 + 1) % vocabularyCount) }

  private func tokens(_ count: Int) -> [TokenID] { (decoder.count..<decoder.count + count).map(token) }

  /// Caches are only ever appended to, so what an earlier measurement left there is as good as new.
  private func fill(to depth: Int) throws(GenerationError) {
    decoder.truncate(to: depth)
    try read(tokens(depth - decoder.count), .none)
  }

  /// - Parameter onRun: given the tokens of each run.
  private func read(
    _ tokens: [TokenID], _ logits: Decoder.Logits,
    onRun: ([TokenID]) throws(GenerationError) -> Void = { _ in }
  ) throws(GenerationError) {
    for start in stride(from: 0, to: tokens.count, by: chunk) {
      let end = min(tokens.count, start + chunk)
      try decoder.feed(tokens[start..<end], end == tokens.count ? logits : .none)
      try onRun(Array(tokens[start..<end]))
    }
  }

  private func seconds(_ body: () throws(GenerationError) -> Void) throws(GenerationError) -> Double {
    let start = ContinuousClock.now
    try body()
    return (ContinuousClock.now - start) / .seconds(1)
  }
}
