public import Kernels
public import PlanFormat
public import Tokenization

/// Ways to write the same texts with a plan, timed in turns.
public struct DraftContest: Sendable {
  /// A head, of a HiRE head the deferred form, and what drafts for it.
  public struct Entrant: Sendable, Equatable, CustomStringConvertible {
    public let head: HeadMode.Kind
    public let draft: Drafting.Kind

    public init(_ head: HeadMode.Kind, _ draft: Drafting.Kind) { (self.head, self.draft) = (head, draft) }

    public var description: String {
      draft == .none
        ? head.rawValue : head == .dense ? draft.rawValue : "\(head.rawValue) + \(draft.rawValue)"
    }
  }

  public struct Result: Sendable {
    public let entrant: Entrant
    /// Of all texts once, the seconds of each by the median of its turns.
    public fileprivate(set) var tokens = 0
    public fileprivate(set) var seconds = 0.0
    /// Of all turns.
    public fileprivate(set) var draft = DraftStatistics()
    /// Tokens that the dense head replaced.
    public fileprivate(set) var replaced = 0
    /// Whether all texts are those of the first entrant.
    public fileprivate(set) var isSame = true

    public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
  }

  /// In the order of the entrants.
  public private(set) var results: [Result]

  private static let turns = 3

  /// - Parameters:
  ///   - entrants: the first is what the others are compared with.
  ///   - prompts: what is continued, greedily, by `count` tokens each.
  public init(
    _ plan: PlanFile, _ entrants: [Entrant], _ prompts: [[TokenID]], count: Int, pool: ThreadPool
  ) throws(GenerationError) {
    let context = try plan.contextLength()
    results = entrants.map { Result(entrant: $0) }
    var generators: [TokenGenerator] = []
    var decoders: [HeadMode.Kind: Decoder] = [:]
    for entrant in entrants {
      let decoder: Decoder
      if let made = decoders[entrant.head] {
        decoder = made
      } else {
        decoder = try Decoder(plan, pool: pool, head: entrant.head)
        decoders[entrant.head] = decoder
      }
      let drafting = try Drafting.make(entrant.draft, for: decoder, pool: pool)
      generators.append(TokenGenerator(decoder, context: context, drafting: drafting))
    }
    var times = TurnTimes(prompts.count * entrants.count)
    for turn in 0..<Self.turns {
      for (text, prompt) in prompts.enumerated() {
        var first: [TokenID] = []
        for (place, generator) in generators.enumerated() {
          var options = TokenGenerator.Options()
          options.maxTokens = count
          if entrants[place].head == .hire { options.exactness = .deferred }
          let output = try generator.generate(prompt, options)
          if place == 0 { first = output.tokens }
          times.note(output.statistics.decodeSeconds, of: text * entrants.count + place)
          if turn == 0 { results[place].tokens += output.statistics.tokenSeconds.count }
          results[place].draft.add(output.statistics.draft)
          results[place].replaced += output.statistics.mismatches
          if output.tokens != first { results[place].isSame = false }
        }
      }
    }
    for (index, seconds) in times.medians.enumerated() { results[index % entrants.count].seconds += seconds }
  }

  /// The fastest of those that write the texts of the first.
  public var best: Result { results.filter(\.isSame).max { $0.tokensPerSecond < $1.tokensPerSecond }! }

  /// Times as fast as the first.
  public func speedUp(_ result: Result) -> Double {
    result.tokensPerSecond / max(results[0].tokensPerSecond, 1e-9)
  }

  /// Texts that a model writes at temperature 1.
  ///
  /// - Parameter prefix: tokens in front of every text; a token by the text's number where it is empty.
  public static func texts(
    by decoder: Decoder, _ count: Int, length: Int, prefix: [TokenID], context: Int
  ) throws(GenerationError) -> [[TokenID]] {
    let generator = TokenGenerator(decoder, context: context)
    var texts: [[TokenID]] = []
    for text in 0..<count {
      var options = TokenGenerator.Options()
      options.maxTokens = length
      (options.sampling.temperature, options.sampling.seed) = (1, UInt64(text) + 1)
      if decoder.denseHead != nil { options.exactness = HeadMode.Exactness.none }
      let start = prefix.isEmpty ? [TokenID(text * 7919 % (decoder.vocabularyCount ?? 1))] : prefix
      texts.append(start + (try generator.generate(start, options)).tokens)
    }
    return texts
  }
}
