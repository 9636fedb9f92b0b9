/// Turns token ids into text one at a time, for printing while a model generates.
///
/// What it returns ends on a character boundary, and all of it together is
/// ``Tokenizer/decode(_:skipSpecialTokens:)`` of all ids: text that later tokens may still change, such as
/// the first bytes of a character, is held back.
public struct StreamDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  private var stages: [DecoderStage] = []

  /// - Parameter skipSpecialTokens: whether special tokens leave no text.
  public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) {
    self.tokenizer = tokenizer
    skipsSpecialTokens = skipSpecialTokens
    var isJoined = false
    for step in tokenizer.pipeline.decoders {
      stages.append(DecoderStage(step, isJoined: isJoined))
      isJoined = isJoined || step.joinsTokens
    }
  }

  /// The text that `id` completes; empty for an id outside the vocabulary.
  public mutating func feed(_ id: TokenID) -> String {
    guard let text = tokenizer.vocabulary.text(of: id) else { return "" }
    if skipsSpecialTokens, tokenizer.vocabulary.isSpecial(id) { return "" }
    var output: [UInt8] = []
    push(tokenizer.pipeline.decodedForms[id] ?? Array(text), from: 0, into: &output)
    return String(decoding: output, as: UTF8.self)
  }

  /// The text still held back; bytes that never became a character are U+FFFD. The decoder is fresh
  /// afterwards.
  public mutating func finish() -> String {
    var output: [UInt8] = []
    for index in stages.indices {
      for token in stages[index].finish() { push(token, from: index + 1, into: &output) }
    }
    self = StreamDecoder(tokenizer, skipSpecialTokens: skipsSpecialTokens)
    return String(decoding: output, as: UTF8.self)
  }

  private mutating func push(_ token: [UInt8], from index: Int, into output: inout [UInt8]) {
    guard index < stages.count else {
      output += token
      return
    }
    for result in stages[index].feed(token) { push(result, from: index + 1, into: &output) }
  }
}
