public import Kernels
public import PlanFormat
import Tensors
public import Tokenization

/// Text in, text out: a plan's decoder and tokenizer together.
public final class TextGenerator {
  public struct Options: Sendable {
    public var tokens = TokenGenerator.Options()
    /// Whether the tokenizer's usual prefix, such as `<bos>`, is put in front of the prompt.
    public var addsSpecialTokens = true
    /// Strings before which the text ends.
    public var stopStrings: [String] = []
    /// Whether generation goes on after the model's end of text.
    public var ignoresEndOfText = false
    /// Whether tokens are drafted, where something can.
    public var drafts = true

    public init() {}
  }

  public struct Output: Sendable {
    public let promptTokens: [TokenID]
    public let tokens: [TokenID]
    /// The generated text, without special tokens.
    public let text: String
    public let ending: TokenGenerator.Ending
    public let statistics: GenerationStatistics
  }

  public let plan: PlanFile
  public let decoder: Decoder
  public let tokenizer: Tokenizer
  /// The most tokens that prompt and text may have together.
  public let context: Int
  /// What proposes tokens; nil where nothing does.
  public let drafting: Drafting?

  /// - Parameters:
  ///   - head: what the plan says when nil.
  ///   - draft: what proposes tokens; what the plan says when nil.
  /// - Throws: ``GenerationError`` when the plan has no tokenizer, is no decoder, has no such head or drafter, or needs
  ///   what this build lacks.
  public init(
    _ plan: PlanFile, pool: ThreadPool, head: HeadMode.Kind? = nil, draft: Drafting.Kind? = nil
  ) throws(GenerationError) {
    self.plan = plan
    tokenizer = try Self.tokenizer(of: plan)
    context = try plan.contextLength()
    decoder = try Decoder(plan, pool: pool, head: head)
    drafting = try Drafting.make(draft, for: decoder, pool: pool)
  }

  private static func tokenizer(of plan: PlanFile) throws(GenerationError) -> Tokenizer {
    guard let section = plan.section(.tokenizer) else { throw .missingTokenizer(plan.path) }
    do throws(TokenizationError) {
      return try Tokenizer(
        section: UnsafeRawBufferPointer(start: section.base, count: section.byteCount), owner: section)
    } catch {
      throw GenerationError(error, plan: plan.path)
    }
  }

  /// Continues `prompt`.
  ///
  /// - Parameters:
  ///   - isCancelled: asked between runs; the result so far is returned when it says yes.
  ///   - onPrefill: told how many tokens of the prompt are done.
  ///   - onTentative: given the text behind that of ``onText`` which may yet change, as a whole, whenever there is
  ///     more of it; it is void when ``onText`` is called next or generation ends.
  ///   - onOrigin: told before each token that ``onText`` may be called for whether a drafter proposed it.
  ///   - onText: given the text piece by piece; pieces end on character boundaries and are never empty.
  /// - Throws: ``GenerationError``, before any text when the prompt does not fit.
  public func generate(
    _ prompt: String, _ options: Options, isCancelled: () -> Bool = { false },
    onPrefill: (Int, Int) -> Void = { _, _ in }, onTentative: ((String) -> Void)? = nil,
    onOrigin: (Bool) -> Void = { _ in }, onText: (String) -> Void = { _ in }
  ) throws(GenerationError) -> Output {
    let promptTokens = tokenizer.encode(prompt, addSpecialTokens: options.addsSpecialTokens)
    var tokenOptions = options.tokens
    if !options.ignoresEndOfText { tokenOptions.stopTokens.formUnion(tokenizer.endOfTextIDs) }
    var stream = StreamDecoder(tokenizer)
    var filter = StopStringFilter(options.stopStrings)
    var text = ""
    var tentative: TentativeText?
    func emit(_ piece: String) {
      guard !piece.isEmpty else { return }
      text += piece
      onText(piece)
    }
    let generator = TokenGenerator(decoder, context: context, drafting: options.drafts ? drafting : nil)
    let output = try generator.generate(
      promptTokens, tokenOptions, isCancelled: isCancelled, onPrefill: { onPrefill($0, promptTokens.count) },
      onDrawn: { token in
        guard let onTentative else { return }
        if tentative == nil { tentative = TentativeText(stream, filter) }
        if let text = tentative?.feed(token) { onTentative(text) }
      }, onOrigin: onOrigin
    ) { token in
      tentative = nil
      emit(filter.feed(stream.feed(token)))
      return filter.hasStopped ? .stopString : nil
    }
    if !filter.hasStopped {
      emit(filter.feed(stream.finish()))
      emit(filter.finish())
    }
    return Output(
      promptTokens: promptTokens, tokens: output.tokens, text: text,
      ending: filter.hasStopped ? .stopString : output.ending, statistics: output.statistics)
  }
}

/// Text of tokens that may yet be replaced.
private struct TentativeText {
  private var stream: StreamDecoder
  private var filter: StopStringFilter
  private var text = ""

  /// - Parameters: the state after the text that is settled.
  init(_ stream: StreamDecoder, _ filter: StopStringFilter) { (self.stream, self.filter) = (stream, filter) }

  /// - Returns: all of the text, when there is more of it now.
  mutating func feed(_ token: TokenID) -> String? {
    let piece = filter.feed(stream.feed(token))
    text += piece
    return piece.isEmpty ? nil : text
  }
}

extension PlanFile {
  /// The most tokens that the plan's caches are meant for; 4096 when it does not say.
  public func contextLength() throws(GenerationError) -> Int {
    guard let text = program.model("context") else { return 4096 }
    guard let length = Int(text), length > 0 else {
      throw .malformedModelEntry(path, "context", text, accepted: "1 and more")
    }
    return length
  }
}
