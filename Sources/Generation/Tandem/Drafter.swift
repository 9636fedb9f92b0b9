import Tokenization

/// Proposes the tokens that may come next, for the decoder to verify in one run.
///
/// A draft is made token by token. Whatever is proposed, the text stays that of the decoder; good proposals make it
/// come faster.
protocol Drafter: AnyObject {
  /// Starts a sequence of up to `capacity` tokens.
  func reset(capacity: Int) throws(GenerationError)

  /// The decoder has just run tokens, of which the first `count` stay: they follow all tokens before in the text.
  func keep(_ tokens: [TokenID], _ count: Int, _ decoder: Decoder) throws(GenerationError)

  /// Works off what was kept and put off, before a draft.
  func catchUp() throws(GenerationError)

  /// Starts a draft behind a token, which follows all that were kept.
  func begin(after token: TokenID)

  /// The next token of the draft; nil where there is nothing to propose.
  ///
  /// - Parameter position: the number of tokens before it.
  func propose(position: Int, _ sampler: Sampler) throws(GenerationError) -> Proposal?

  /// Forgets all behind the first `count` tokens of the text: the draft, and what was kept and then replaced.
  func forget(from count: Int)
}

extension Drafter {
  func catchUp() {}
}

/// A proposed token.
struct Proposal {
  let token: TokenID
  /// How likely the drafter takes it to be right, 0...1.
  let confidence: Float
}

/// How many tokens are drafted between two runs of the decoder.
public enum BlockLength: Sendable, Equatable {
  case fixed(Int)
  /// As many as pay, by the drafter's confidence and what runs cost (``DraftEconomy``).
  case adaptive

  /// Tokens of a block at most: what a run with all logits takes, less the token before the draft.
  public static let largest = 15
}
