public import Tokenization

/// How the next token is drawn from logits. The default is greedy.
///
/// Applied in this order, as in Hugging Face `transformers`: bans, repetition penalty, temperature, top-k, top-p, min-p.
public struct SamplingOptions: Sendable, Equatable {
  /// Divides the logits. Below 1e-6 it means greedy: of the others only penalty and bans matter.
  public var temperature: Float = 0
  /// Keeps the `topK` largest logits; of equal ones those with the smaller ids. 0 keeps all.
  public var topK = 0
  /// Keeps the likeliest tokens up to and including the one at which their probabilities reach `topP`. 1 keeps all.
  public var topP: Float = 1
  /// Keeps tokens at least `minP` times as likely as the likeliest. 0 keeps all.
  public var minP: Float = 0
  /// Divides positive and multiplies negative logits of tokens that occurred already. 1 changes nothing.
  public var repetitionPenalty: Float = 1
  /// Tokens that are never drawn.
  public var bannedTokens: Set<TokenID> = []
  /// Equal seeds draw equal tokens.
  public var seed: UInt64 = 0

  public init() {}

  var isGreedy: Bool { temperature < 1e-6 }

  /// What is wrong with the options, or nil: `temperature is -1, accepted is 0 or more`.
  public var problem: String? {
    if !(temperature >= 0 && temperature.isFinite) {
      return "temperature is \(temperature), accepted is 0 or more"
    }
    if topK < 0 { return "top-k is \(topK), accepted is 0 (all) or more" }
    if !(topP > 0 && topP <= 1) { return "top-p is \(topP), accepted is more than 0 and at most 1" }
    if !(minP >= 0 && minP <= 1) { return "min-p is \(minP), accepted is 0...1" }
    if !(repetitionPenalty > 0 && repetitionPenalty.isFinite) {
      return "repetition penalty is \(repetitionPenalty), accepted is more than 0"
    }
    return nil
  }
}
