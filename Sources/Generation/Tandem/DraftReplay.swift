import Execution
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
    /// Shares of the time of all rounds: running what is kept through the small model, and all but runs of the two models.
    public let refresh: Double, rest: Double
  }

  /// T(m) / T(1) for m = 1, 2, ..., and the seconds of a proposal over T(1) (``DraftCosts``).
  public let blockCost: [Double]
  public let proposalCost: Double
  public let plainTokensPerSecond: Double

  private let decoder: Decoder, small: Decoder
  private let vocabulary: Int, context: Int
  private let rounds: Int
  private let prompt: [TokenID], written: [TokenID]
  private let plainSeconds: Double

  /// Tokens of the text at least: the first comes out of the prompt.
  public static let leastCount = 2

  /// - Parameters:
  ///   - count: tokens of the text, at least ``leastCount``.
  ///   - rounds: times that each text is written; its seconds are their median.
  /// - Throws: ``GenerationError`` when the plans cannot take the same texts, the first cannot verify drafts, or the
  ///   text does not fit.
  public init(_ plan: PlanFile, small: PlanFile, count: Int, rounds: Int, pool: ThreadPool)
    throws(GenerationError)
  {
    (decoder, self.rounds) = (try Decoder(plan, pool: pool, head: .dense), rounds)
    self.small = try Decoder(small, pool: pool, head: .dense)
    guard decoder.verifiedCount > 1 else { throw .cannotVerify(plan.path, asked: "--draft-plan") }
    let (vocabulary, other) = (try decoder.knownVocabularyCount(), try self.small.knownVocabularyCount())
    guard vocabulary == other else { throw .differentVocabularies(small.path, other, vocabulary) }
    let prompt = (0..<8).map { TokenID(($0 * 7919 + 1) % vocabulary) }
    let more = prompt.count + BlockLength.largest + 1
    for file in [plan, small] {
      let context = try file.contextLength()
      guard count <= context - more else { throw .replayTooLong(file.path, count, more, context: context) }
    }
    (self.prompt, self.vocabulary, context) = (prompt, vocabulary, count + more)
    let generator = TokenGenerator(decoder, context: context)
    var options = TokenGenerator.Options()
    options.maxTokens = count
    var (times, tokens) = (TurnTimes(1), [TokenID]())
    for _ in 0..<rounds {
      let output = try generator.generate(prompt, options)
      times.note(
        output.statistics.decodeSeconds / Double(max(1, output.statistics.tokenSeconds.count)), of: 0)
      tokens = output.tokens
    }
    let seconds = times.medians[0]
    (plainSeconds, written, plainTokensPerSecond) = (seconds, tokens, 1 / seconds)
    let drafter = ReplayDrafter(prompt + written, acceptance: 1, self.small, vocabulary: vocabulary, seed: 0)
    let costs = try DraftCosts(decoder, [drafter], depth: count)
    (blockCost, proposalCost) = (costs.blocks, costs.shares[0].proposal)
  }

  /// - Throws: ``GenerationError`` where the plan has no run over so many tokens, or the text is another with drafts.
  public func run(acceptance: Double, length: Int) throws(GenerationError) -> Result {
    let path = decoder.executor.plan.path
    guard length < decoder.verifiedCount else {
      throw .cannotVerify(path, asked: "a draft of \(length) tokens")
    }
    var options = TokenGenerator.Options()
    (options.maxTokens, options.blockLength) = (written.count, .fixed(length))
    var (times, drawn, sum, draft) = (TurnTimes(1), 1.0, 0.0, DraftStatistics())
    for _ in 0..<rounds {
      let drafter = ReplayDrafter(
        prompt + written, acceptance: acceptance, small, vocabulary: vocabulary, seed: UInt64(length))
      let drafting = Drafting(.tandem, drafter, decoder)
      let output = try TokenGenerator(decoder, context: context, drafting: drafting).generate(prompt, options)
      guard output.tokens == written else {
        throw .draftsChangeText(path, token: zip(output.tokens, written).prefix { $0 == $1 }.count)
      }
      times.note(output.statistics.decodeSeconds, of: 0)
      sum += output.statistics.decodeSeconds
      drawn = Double(max(1, output.statistics.tokenSeconds.count))
      draft.add(output.statistics.draft)
    }
    let seconds = times.medians[0]
    let expected = DraftStatistics.expectedTokens(acceptance: acceptance, length: Double(length))
    let cost = Double(length) * proposalCost
    return Result(
      acceptance: acceptance, length: length, measuredAcceptance: draft.acceptance,
      tokensPerPass: draft.tokensPerPass, speedUp: plainSeconds * drawn / seconds,
      predicted: draft.tokensPerPass / (blockCost[length] + cost), ideal: expected / (1 + cost),
      refresh: draft.seconds.refresh / sum,
      rest: 1 - (draft.seconds.small + draft.seconds.large + draft.seconds.head + draft.seconds.refresh) / sum
    )
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
