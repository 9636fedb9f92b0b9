import Execution
import PlanFormat
public import Tokenization

/// Continues a sequence of tokens.
///
/// 1. The prompt goes through the decoder in chunks, of which only the caches are computed.
/// 2. The last chunk ends with the prompt, and the logits of its last token are computed.
/// 3. Each drawn token is run in full to draw the next one, until a stop token, the token limit, the end of the
///    context, or the caller says stop.
public struct TokenGenerator {
  public struct Options: Sendable {
    public var maxTokens = 128
    public var sampling = SamplingOptions()
    /// Tokens after which to stop; they are part of the result.
    public var stopTokens: Set<TokenID> = []
    /// Prompt tokens per run.
    public var chunk = 512

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

  /// - Parameter context: the most tokens that prompt and result may have together.
  public init(_ decoder: Decoder, context: Int) {
    self.decoder = decoder
    self.context = context
  }

  /// Generates tokens.
  ///
  /// - Parameters:
  ///   - isCancelled: asked between runs.
  ///   - onPrefill: told how many tokens of the prompt are done.
  ///   - onToken: given every token but a stop token as it is drawn; returns why to stop, or nil to go on.
  /// - Throws: ``GenerationError``, before anything is generated when the prompt does not fit.
  public func generate(
    _ prompt: [TokenID], _ options: Options, isCancelled: () -> Bool = { false },
    onPrefill: (Int) -> Void = { _ in }, onToken: (TokenID) -> Ending? = { _ in nil }
  ) throws(GenerationError) -> Output {
    try check(prompt)
    var output = Output()
    output.statistics.promptTokens = prompt.count
    // The prompt fits; the sum of its length and a huge limit might not.
    let room = max(0, min(options.maxTokens, context - prompt.count))
    output.statistics.tokenSeconds.reserveCapacity(room)
    output.tokens.reserveCapacity(room + 1)
    try decoder.reset(capacity: prompt.count + room)

    let clock = ContinuousClock()
    var last = clock.now
    guard try prefill(prompt, options, isCancelled, onPrefill) else {
      output.ending = .cancelled
      output.statistics.prefillSeconds = (clock.now - last) / .seconds(1)
      output.statistics.promptTokens = decoder.count
      return output
    }
    var logits = try decoder.logits()
    let sampler = Sampler(options.sampling, vocabularyCount: logits.count)
    for token in prompt { sampler.observe(token) }
    while output.tokens.count < options.maxTokens {
      let token = try sampler.next(logits, position: decoder.count)
      let now = clock.now
      output.statistics.note((now - last) / .seconds(1))
      last = now
      output.tokens.append(token)
      if options.stopTokens.contains(token) {
        output.ending = .stopToken
        break
      }
      if let ending = onToken(token) {
        output.ending = ending
        break
      }
      if output.tokens.count == options.maxTokens { break }
      if decoder.count == context {
        output.ending = .contextFull
        break
      }
      if isCancelled() {
        output.ending = .cancelled
        break
      }
      sampler.observe(token)
      try decoder.feed(token)
      logits = try decoder.logits()
    }
    return output
  }

  private func check(_ prompt: [TokenID]) throws(GenerationError) {
    let plan = decoder.executor.plan.path
    guard !prompt.isEmpty else { throw .emptyPrompt(plan) }
    guard prompt.count < context else { throw .promptTooLong(plan, prompt.count, context: context) }
    if let count = decoder.vocabularyCount, let token = prompt.first(where: { $0 < 0 || $0 >= count }) {
      throw .tokenOutOfRange(Int(token), vocabularyCount: count)
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
      start += chunk
      onPrefill(start)
    }
    if isCancelled() { return false }
    try decoder.feed(prompt[start...], .last)
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
