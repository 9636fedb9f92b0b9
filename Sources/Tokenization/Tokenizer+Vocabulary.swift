extension Tokenizer {
  /// One past the largest token id.
  public var vocabularyCount: Int { vocabulary.count }

  /// The id of the token spelled `text` in `tokenizer.json`, for instance `Ġthe` or `<eos>`.
  public func tokenID(for text: String) -> TokenID? {
    Array(text.utf8).withUnsafeBufferPointer(vocabulary.token)
  }

  /// The spelling of a token in `tokenizer.json`; nil for an id that is not in use.
  public func token(for id: TokenID) -> String? {
    vocabulary.text(of: id).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The ids of special tokens, ascending.
  ///
  /// - Complexity: linear in ``vocabularyCount``.
  public var specialTokenIDs: [TokenID] {
    (0..<TokenID(vocabulary.count)).filter(vocabulary.isSpecial)
  }

  /// The token a text starts with: the first that ``encode(_:addSpecialTokens:)`` puts in front of it, else,
  /// by name, the first of the usual ones that the vocabulary has as a special token.
  ///
  /// A heuristic: `tokenizer.json` does not say it. A model's own configuration takes precedence.
  public var beginningOfTextID: TokenID? {
    pipeline.postProcessor.prefix.first
      ?? special(named: ["<bos>", "<s>", "<|begin_of_text|>", "<|startoftext|>", "<|endoftext|>"]).first
  }

  /// The tokens at which generation ends, ascending: special tokens with the usual names of end of text and
  /// of turn.
  ///
  /// A heuristic: `tokenizer.json` does not say it. A model's own configuration takes precedence.
  public var endOfTextIDs: [TokenID] {
    special(named: [
      "<eos>", "</s>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>",
      "<|end|>",
      "<end_of_turn>",
    ]).sorted()
  }

  private func special(named names: [String]) -> [TokenID] {
    names.compactMap(tokenID(for:)).filter(vocabulary.isSpecial)
  }
}
