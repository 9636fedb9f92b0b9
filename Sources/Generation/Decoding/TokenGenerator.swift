import Execution
import PlanFormat
public import Tokenization

/// Continues a sequence of tokens.
///
/// 1. The prompt goes through the decoder in chunks, of which only the caches are computed.
/// 2. The last chunk ends with the prompt, and the logits of its last token are computed.
/// 3. Each drawn token is run in full to draw the next one, until a stop token, the token limit, the end of the
///    context, or the caller says stop (see ``TokenSource``).
public struct TokenGenerator {
  public struct Options: Sendable {
    public var maxTokens = 128
    public var sampling = SamplingOptions()
    /// Tokens after which to stop; they are part of the result.
    public var stopTokens: Set<TokenID> = []
    /// Prompt tokens per run.
    public var chunk = 512
    /// What is done about tokens that candidates miss; what the plan says when nil.
    public var exactness: HeadMode.Exactness?
    /// The most tokens that are verified at once.
    public var verifiedTokens = 16
    /// Tokens of a draft, where there is a drafter.
    public var blockLength = BlockLength.adaptive
    /// Whether only tokens stay that the decoder draws too.
    public var verifiesDrafts = true

    public init() {}
  }

  /// Why generation ended.
  public enum Ending: String, Sendable {
    case stopToken = "stop_token"
    case stopString = "stop_string"
    case maxTokens = "max_tokens"
    case contextFull = "context_full"
    case cancelled
  }

  public struct Output: Sendable {
    public internal(set) var tokens: [TokenID] = []
    public internal(set) var ending = Ending.maxTokens
    public internal(set) var statistics = GenerationStatistics()
  }

  private let decoder: Decoder
  private let context: Int
  private let drafting: Drafting?

  /// - Parameters:
  ///   - context: the most tokens that prompt and result may have together.
  ///   - drafting: what proposes tokens; nothing by default.
  public init(_ decoder: Decoder, context: Int, drafting: Drafting? = nil) {
    self.decoder = decoder
    self.context = context
    self.drafting = drafting
  }

  private var drafter: (any Drafter)? { drafting?.drafter }

  /// Generates tokens.
  ///
  /// - Parameters:
  ///   - isCancelled: asked between runs.
  ///   - onPrefill: told how many tokens of the prompt are done.
  ///   - onDrawn: given tokens as they are drawn that may yet be replaced; when ``onToken`` is called, all of them
  ///     are either replaced or among those that it is given next.
  ///   - onOrigin: told before each call of ``onToken`` whether the token was proposed by a drafter.
  ///   - onToken: given every token but a stop token once it is settled; returns why to stop, or nil to go on.
  /// - Throws: ``GenerationError``, before anything is generated when the prompt does not fit.
  public func generate(
    _ prompt: [TokenID], _ options: Options, isCancelled: () -> Bool = { false },
    onPrefill: (Int) -> Void = { _ in }, onDrawn: (TokenID) -> Void = { _ in },
    onOrigin: (Bool) -> Void = { _ in }, onToken: (TokenID) -> Ending? = { _ in nil }
  ) throws(GenerationError) -> Output {
    try check(prompt, options.sampling)
    let mode = try HeadMode(
      decoder.executor.plan, kind: decoder.denseHead == nil ? .dense : .hire, exactness: options.exactness)
    var output = Output()
    output.statistics.promptTokens = prompt.count
    // The prompt fits; the sum of its length and a huge limit might not.
    let room = max(0, min(options.maxTokens, context - prompt.count))
    output.statistics.tokenSeconds.reserveCapacity(room)
    output.tokens.reserveCapacity(room + 1)
    try decoder.reset(capacity: prompt.count + room)
    try drafter?.reset(capacity: prompt.count + room)

    let clock = ContinuousClock()
    var last = clock.now
    guard try prefill(prompt, options, isCancelled, onPrefill) else {
      output.ending = .cancelled
      output.statistics.prefillSeconds = (clock.now - last) / .seconds(1)
      output.statistics.promptTokens = decoder.count
      return output
    }
    let logits = try decoder.logits()
    let sampler = Sampler(options.sampling, vocabularyCount: logits.count)
    for token in prompt { sampler.observe(token) }
    let source = try source(sampler, mode, options, logits)
    var isEnding = false
    func asksToStop() -> Bool {
      isEnding = isEnding || isCancelled()
      return isEnding
    }
    while options.maxTokens > 0 {
      let now = clock.now
      let ending = deliver(source, (now - last) / .seconds(1), options, &output, onOrigin, onToken)
      last = now
      if let ending {
        output.ending = ending
        break
      }
      if output.tokens.count == options.maxTokens { break }
      if decoder.count == context {
        output.ending = .contextFull
        break
      }
      if asksToStop() {
        output.ending = .cancelled
        break
      }
      try source.advance(
        limit: options.maxTokens - output.tokens.count, isCancelled: asksToStop, &output.statistics,
        onDrawn: onDrawn)
    }
    return output
  }

  private func source(
    _ sampler: Sampler, _ mode: HeadMode, _ options: Options, _ logits: UnsafeBufferPointer<Float>
  ) throws(GenerationError) -> any TokenSource {
    if let drafting, mode.kind == .dense {
      return try DraftTokenSource(decoder, drafting, sampler, options, context: context, logits)
    }
    return try HeadTokenSource(
      decoder, sampler, mode, options, context: context, logits, drafting: drafting)
  }

  /// Hands tokens that stay to the caller.
  ///
  /// - Parameter seconds: the time that they took together.
  /// - Returns: why to stop, or nil.
  private func deliver(
    _ source: any TokenSource, _ seconds: Double, _ options: Options, _ output: inout Output,
    _ onOrigin: (Bool) -> Void, _ onToken: (TokenID) -> Ending?
  ) -> Ending? {
    let tokens = source.settled
    for index in tokens.indices {
      let token = tokens[index]
      output.statistics.note(seconds / Double(tokens.count))
      output.tokens.append(token)
      onOrigin(source.wasProposed(index))
      if let ending = options.stopTokens.contains(token) ? .stopToken : onToken(token) {
        output.statistics.discardedTokens += tokens.count - index - 1
        return ending
      }
    }
    return nil
  }

  private func check(_ prompt: [TokenID], _ sampling: SamplingOptions) throws(GenerationError) {
    let plan = decoder.executor.plan.path
    guard !prompt.isEmpty else { throw .emptyPrompt(plan) }
    guard prompt.count < context else { throw .promptTooLong(plan, prompt.count, context: context) }
    guard let count = decoder.vocabularyCount else { return }
    func isOutside(_ token: TokenID) -> Bool { token < 0 || token >= count }
    if let token = prompt.first(where: isOutside) {
      throw .tokenOutOfRange(Int(token), vocabularyCount: count)
    }
    if let token = sampling.bannedTokens.sorted().first(where: isOutside) {
      throw .bannedTokenOutOfRange(Int(token), vocabularyCount: count)
    }
  }

  /// - Returns: whether it went to the end.
  private func prefill(
    _ prompt: [TokenID], _ options: Options, _ isCancelled: () -> Bool, _ onPrefill: (Int) -> Void
  ) throws(GenerationError) -> Bool {
    let chunk = decoder.limit(max(1, options.chunk))
    var start = 0
    while prompt.count - start > chunk {
      if isCancelled() { return false }
      try decoder.feed(prompt[start..<start + chunk], .none)
      try drafter?.keep(Array(prompt[start..<start + chunk]), chunk, decoder)
      start += chunk
      onPrefill(start)
    }
    if isCancelled() { return false }
    try decoder.feed(prompt[start...], .last)
    try drafter?.keep(Array(prompt[start...]), prompt.count - start, decoder)
    return true
  }
}

extension GenerationStatistics {
  /// Notes that a token was drawn `seconds` after the one before it, or after the start.
  fileprivate mutating func note(_ seconds: Double) {
    if generatedTokens == 0 {
      prefillSeconds = seconds
    } else {
      decodeSeconds += seconds
      tokenSeconds.append(seconds)
    }
    generatedTokens += 1
  }
}
