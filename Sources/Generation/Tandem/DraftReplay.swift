public import Kernels
public import PlanFormat
public import Tokenization

/// What drafting brings a model at its size, for drafts that are right as often as asked.
///
/// The model writes a text alone. Then it writes the text again with drafts of it, of which each token is replaced by
/// another with some probability; another plan is run for every proposal, and over all tokens that are kept, so that
/// drafts cost what those of a small model do. All that is left of decoding is real: runs over blocks, verification,
/// roll-back.
public struct DraftReplay {
  public struct Result: Sendable {
    public let acceptance: Double
    public let length: Int
    /// Of the tokens proposed behind right ones, those that were right.
    public let measuredAcceptance: Double
    public let tokensPerPass: Double
    /// Times as fast as without drafts, by the clock.
    public let speedUp: Double
    /// Tokens per pass / (T(g + 1) / T(1) + g c).
    public let predicted: Double
    /// (1 - a^(g + 1)) / (1 - a) / (1 + g c), with the acceptance asked for: where runs over blocks are as fast as those
    /// over one token, the setting of the paper.
    public let ideal: Double
    /// Shares of the time: running what is kept through the small model, and all but runs of the two models.
    public let refresh: Double, rest: Double
  }

  /// The least of a few: T(m) / T(1) for m = 1, 2, ..., and the seconds of a proposal over T(1).
  public let blockCost: [Double]
  public let proposalCost: Double
  public let plainTokensPerSecond: Double

  private let decoder: Decoder, small: Decoder
  private let context: Int
  private let prompt: [TokenID], written: [TokenID]
  private let plainSeconds: Double

  private static let turns = 3

  /// - Parameter count: tokens of the text.
  /// - Throws: ``GenerationError`` when the plans cannot take the same texts, or the text does not fit.
  public init(_ plan: PlanFile, small: PlanFile, count: Int, pool: ThreadPool) throws(GenerationError) {
    decoder = try Decoder(plan, pool: pool, head: .dense)
    self.small = try Decoder(small, pool: pool, head: .dense)
    let vocabulary = decoder.vocabularyCount ?? 0
    guard vocabulary == self.small.vocabularyCount else {
      throw .differentVocabularies(small.path, self.small.vocabularyCount ?? 0, vocabulary)
    }
    let prompt = (0..<8).map { TokenID(($0 * 7919 + 1) % vocabulary) }
    let needed = prompt.count + count + BlockLength.largest + 1
    for file in [plan, small] {
      let context = try file.contextLength()
      guard needed <= context else { throw .replayTooLong(file.path, needed, context: context) }
    }
    (self.prompt, context) = (prompt, needed)
    let generator = TokenGenerator(decoder, context: context)
    var options = TokenGenerator.Options()
    options.maxTokens = count
    var (seconds, tokens): (Double, [TokenID]) = (.infinity, [])
    for _ in 0..<Self.turns {
      let output = try generator.generate(prompt, options)
      seconds = min(
        seconds, output.statistics.decodeSeconds / Double(max(1, output.statistics.tokenSeconds.count)))
      tokens = output.tokens
    }
    (plainSeconds, written, plainTokensPerSecond) = (seconds, tokens, 1 / seconds)
    let runs = try DecoderTimer.blockSeconds(
      decoder, upTo: BlockLength.largest + 1, depth: count, turns: Self.turns)
    blockCost = runs.map { $0 / runs[0] }
    let proposals = try DecoderTimer.blockSeconds(self.small, upTo: 1, depth: count, turns: 4 * Self.turns)
    proposalCost = proposals[0] / runs[0]
  }

  /// - Throws: ``GenerationError``; the text is that without drafts, or this stops.
  public func run(acceptance: Double, length: Int) throws(GenerationError) -> Result {
    var options = TokenGenerator.Options()
    (options.maxTokens, options.blockLength) = (written.count, .fixed(length))
    var (seconds, drawn, draft) = (Double.infinity, 1.0, DraftStatistics())
    for _ in 0..<Self.turns {
      let drafter = ReplayDrafter(
        prompt + written, acceptance: acceptance, small, vocabulary: decoder.vocabularyCount ?? 1,
        seed: UInt64(length))
      let drafting = Drafting(.tandem, drafter, decoder)
      let output = try TokenGenerator(decoder, context: context, drafting: drafting).generate(prompt, options)
      precondition(output.tokens == written, "a verified text is that without drafts")
      guard output.statistics.decodeSeconds < seconds else { continue }
      seconds = output.statistics.decodeSeconds
      drawn = Double(max(1, output.statistics.tokenSeconds.count))
      draft = output.statistics.draft
    }
    let expected = DraftStatistics.expectedTokens(acceptance: acceptance, length: Double(length))
    let cost = Double(length) * proposalCost
    return Result(
      acceptance: acceptance, length: length, measuredAcceptance: draft.acceptance,
      tokensPerPass: draft.tokensPerPass, speedUp: plainSeconds * drawn / seconds,
      predicted: draft.tokensPerPass / (blockCost[length] + cost), ideal: expected / (1 + cost),
      refresh: draft.seconds.refresh / seconds,
      rest: 1 - (draft.seconds.small + draft.seconds.large + draft.seconds.head + draft.seconds.refresh)
        / seconds)
  }
}

/// Proposes a text that is known, with mistakes, at the cost of another decoder.
private final class ReplayDrafter: Drafter {
  private let text: [TokenID]
  private let acceptance: Double
  private let small: Decoder
  private let vocabulary: Int
  private var random: UInt64
  private var last: TokenID = 0
  /// Tokens that were kept.
  private var finished = 0

  init(_ text: [TokenID], acceptance: Double, _ small: Decoder, vocabulary: Int, seed: UInt64) {
    (self.text, self.acceptance, self.small, random) = (text, acceptance, small, seed)
    self.vocabulary = vocabulary
  }

  func reset(capacity: Int) throws(GenerationError) {
    try small.reset(capacity: capacity + BlockLength.largest + 1)
    finished = 0
  }

  func keep(_ tokens: [TokenID], _ count: Int, _ decoder: Decoder) throws(GenerationError) {
    small.truncate(to: finished)
    try small.feed(tokens.prefix(count), .none)
    finished += count
  }

  func begin(after token: TokenID) { last = token }

  func propose(position: Int, _ sampler: Sampler) throws(GenerationError) -> Proposal? {
    try small.feed(last)
    let confidence = LogitScan.maximum(try small.logits())
    let right = position < text.count ? text[position] : 0
    last = isRight ? right : (right + 1) % TokenID(vocabulary)
    return Proposal(token: last, confidence: confidence.isFinite ? 0.5 : 0)
  }

  /// Drawn with the probability asked for (SplitMix64).
  private var isRight: Bool {
    random &+= 0x9E37_79B9_7F4A_7C15
    var z = random
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) * 0x1p-53 < acceptance
  }

  func forget(from count: Int) {
    small.truncate(to: count)
    finished = min(finished, count)
  }
}
