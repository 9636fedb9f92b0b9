/// Why a tokenizer could not be read, or text could not be handled by it.
public struct TokenizationError: Error, Equatable, Sendable, CustomStringConvertible {
  public let message: String

  public var description: String { message }
}

extension TokenizationError {
  static func json(_ problem: String, at offset: Int) -> Self {
    Self(message: "tokenizer.json is not valid JSON: \(problem) at byte \(offset)")
  }

  static func missing(_ key: String, in component: String) -> Self {
    Self(message: "'\(component)' in tokenizer.json needs '\(key)'")
  }

  static func wrongType(_ key: String, in component: String, expected: String) -> Self {
    Self(message: "'\(key)' of '\(component)' in tokenizer.json must be \(expected)")
  }

  static func unsupported(_ kind: String, _ name: String, accepted: [String]) -> Self {
    Self(
      message:
        "\(kind) '\(name)' is not supported; accepted: \(accepted.map { "'\($0)'" }.joined(separator: ", "))")
  }

  static func unsupportedOption(_ key: String, in component: String, accepted: String) -> Self {
    Self(message: "'\(key)' of '\(component)' is not supported; accepted: \(accepted)")
  }

  static func regex(_ pattern: String, _ problem: String) -> Self {
    Self(message: "regular expression '\(pattern)' cannot be used: \(problem)")
  }

  static func mergeOutOfVocabulary(_ token: String, rank: Int) -> Self {
    Self(message: "merge \(rank) needs '\(token)', which is not in the vocabulary")
  }

  static func badMerge(rank: Int) -> Self {
    Self(message: "merge \(rank) must be two tokens: 'a b' or ['a', 'b']")
  }

  static func unknownTokenOutOfVocabulary(_ token: String) -> Self {
    Self(message: "unknown token '\(token)' is not in the vocabulary")
  }

  static func badTokenID(_ token: String, limit: Int) -> Self {
    Self(message: "the id of token '\(token)' must be an integer in 0..<\(limit)")
  }

  static func sharedTokenID(_ id: Int, _ first: String, _ second: String) -> Self {
    Self(message: "tokens '\(first)' and '\(second)' share the id \(id)")
  }

  static let badTemplate = Self(
    message:
      "'single' of 'TemplateProcessing' must be the sequence 'A' exactly once, and special tokens around it"
  )

  static func corruptSection(_ problem: String) -> Self {
    Self(message: "tokenizer section is corrupt: \(problem)")
  }
}
