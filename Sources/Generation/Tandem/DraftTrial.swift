public import Tokenization

/// What drafting brings for a model on this machine: what runs and proposals cost, and how often these are right.
///
///     tokens(g) = 1 + sum over i < g of P(the first i + 1 proposals are right)
///     speed-up(g) = tokens(g) / (T(g + 1) / T(1) + g c + r)
///
/// with T(m) the seconds of a run over m tokens, c those of a proposal over T(1), and r those of what the drafter does
/// about a run's tokens (``DraftCosts``).
///
/// - Source: papers.md 2.10, points 4 and 5.
public struct DraftTrial: Sendable {
  /// T(m) / T(1) for m = 1, 2, ...
  public let blockCost: [Double]
  /// c and r.
  public let proposalCost: Double, refreshCost: Double
  /// P by i.
  public let survival: [Double]
  /// Tokens that were verified.
  public let drafted: Int

  /// Tokens of each text that is continued, and of its continuation.
  private static let length = 64
  private static let texts = 6

  /// A shorter context has no room for a text and the longest block behind it.
  public static let leastContext = 64

  /// Lets the model write texts at temperature 1, and continues them greedily with drafts.
  ///
  /// - Parameters:
  ///   - prefix: tokens in front of every text; a token by the text's number where it is empty.
  ///   - context: tokens that fit the decoder.
  public init(_ decoder: Decoder, _ drafting: Drafting, prefix: [TokenID], context: Int)
    throws(GenerationError)
  {
    let length = max(4, min(Self.length, (context - prefix.count - BlockLength.largest - 2) / 2))
    let texts = try DraftContest.texts(
      by: decoder, Self.texts, length: length, prefix: prefix, context: context)
    let drafted = TokenGenerator(decoder, context: context, drafting: drafting)
    var total = DraftStatistics()
    for text in texts {
      var options = TokenGenerator.Options()
      (options.maxTokens, options.blockLength) = (length, .fixed(BlockLength.largest))
      total.add(try drafted.generate(text, options).statistics.draft)
    }
    let costs = try DraftCosts(decoder, [drafting.drafter], depth: length)
    blockCost = costs.blocks
    (proposalCost, refreshCost) = (costs.shares[0].proposal, costs.shares[0].refresh)
    survival = zip(total.acceptedAt, total.draftedAt).map { $1 > 0 ? Double($0) / Double($1) : 0 }
    self.drafted = total.drafted
  }

  /// - Parameter length: tokens of a draft.
  public func speedUp(_ length: Int) -> Double {
    let tokens = 1 + survival[..<length].reduce(0, +)
    return tokens / (blockCost[length] + Double(length) * proposalCost + refreshCost)
  }

  /// The length with the largest speed-up.
  public var best: Int { (1...survival.count).max { speedUp($0) < speedUp($1) }! }
}
