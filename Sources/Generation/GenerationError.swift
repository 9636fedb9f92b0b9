public import Execution
import Tokenization

/// Text or tokens cannot be generated.
public struct GenerationError: Error, CustomStringConvertible, Sendable {
  public enum Code: Sendable {
    /// The plan, the prompt or an option is at fault.
    case invalidInput
    /// The plan is sound, but nothing that generation can drive.
    case unsupported
  }

  public let code: Code
  /// Lower case: where, what was found, and what would be accepted.
  public let message: String

  public var description: String { message }

  public init(_ error: ExecutionError) {
    code = error.code == .unsupported ? .unsupported : .invalidInput
    message = error.message
  }

  init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  init(_ error: TokenizationError, plan: String) {
    self.init(code: .invalidInput, message: "'\(plan)': \(error.message)")
  }
}

// MARK: Messages

extension GenerationError {
  static func missingTokenizer(_ plan: String) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message:
        "'\(plan)' holds no tokenizer, which a prompt needs; convert again with --tokenizer tokenizer.json")
  }
  static func emptyPrompt(_ plan: String) -> GenerationError {
    GenerationError(
      code: .invalidInput, message: "'\(plan)': the prompt has no tokens, accepted is at least one")
  }
  static var emptyText: GenerationError {
    GenerationError(
      code: .invalidInput, message: "the text has no token to score, accepted is at least one")
  }
  static func differentVocabularies(_ plan: String, _ count: Int, _ other: Int) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message: "'\(plan)' has a vocabulary of \(count) tokens, the plan it is compared with of \(other)")
  }
  static func unknownVocabulary(_ plan: String) -> GenerationError {
    GenerationError(
      code: .unsupported,
      message:
        "'\(plan)' does not say how many tokens its vocabulary has; accepted are plans whose logits have a last"
        + " dimension of known size")
  }
  static func replayTooLong(_ plan: String, _ count: Int, _ more: Int, context: Int) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message:
        "'\(plan)': a text of \(count) tokens to be drafted, and \(more) more, do not fit the plan's context of"
        + " \(context)")
  }
  static func draftsChangeText(_ plan: String, token: Int) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message:
        "'\(plan)' writes another text with drafts, from token \(token) on: its runs over several tokens do not give"
        + " the logits of single ones; convert again")
  }
  static func promptTooLong(_ plan: String, _ count: Int, context: Int) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message:
        "'\(plan)': the prompt has \(count) tokens, accepted are at most \(context - 1) in a context of \(context)"
    )
  }
  static func tokenOutOfRange(_ token: Int, vocabularyCount: Int) -> GenerationError {
    GenerationError(
      code: .invalidInput, message: "token \(token) is out of range, accepted are 0...\(vocabularyCount - 1)")
  }
  static func bannedTokenOutOfRange(_ token: Int, vocabularyCount: Int) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message: "the banned token \(token) is out of range, accepted are 0...\(vocabularyCount - 1)")
  }
  static func notADecoder(_ plan: String, _ function: String, _ reason: String) -> GenerationError {
    GenerationError(
      code: .unsupported,
      message:
        "'\(plan)': function '\(function)' is not a decoder: \(reason); run it on tensors with --input NAME=FILE.npy"
    )
  }
  static func noHireHead(_ plan: String, asked: String) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message: "'\(plan)' has no HiRE head, which \(asked) needs; convert again with --head hire")
  }
  static func noCertificate(_ plan: String) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message:
        "'\(plan)' holds no bounds, which --exact certified needs; convert again with --head hire --exact"
        + " certified")
  }
  static func noSmallModel(_ plan: String) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message:
        "'\(plan)' holds no small model, which --draft tandem needs; convert again with --tandem SMALL.onnx")
  }
  static func noLayers(_ plan: String) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message:
        "'\(plan)' has no function of some of its layers, which --draft layers needs; convert again with"
        + " --tandem derived")
  }
  static func malformedTandem(_ plan: String, _ function: String, _ reason: String) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message: "'\(plan)': function '\(function)' is no part of a small model: \(reason); convert again")
  }
  static func cannotVerify(_ plan: String, asked: String) -> GenerationError {
    GenerationError(
      code: .unsupported,
      message:
        "'\(plan)' has no function 'block', which \(asked) needs to verify drafts; accepted are plans of"
        + " decoders with caches kept in place")
  }
  static func malformedHireHead(_ plan: String, _ function: String, _ reason: String) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message: "'\(plan)': function '\(function)' is no part of a HiRE head: \(reason); convert again")
  }
  static func malformedModelEntry(
    _ plan: String, _ key: String, _ value: String, accepted: String
  ) -> GenerationError {
    GenerationError(
      code: .invalidInput,
      message: "'\(plan)': '\(key)' is '\(value)', accepted is \(accepted); convert again")
  }
  static func notANumber(token: Int, position: Int) -> GenerationError {
    GenerationError(
      code: .invalidInput, message: "the logit of token \(token) at position \(position) is not a number")
  }
  static func infiniteLogit(token: Int, position: Int) -> GenerationError {
    GenerationError(
      code: .invalidInput, message: "the logit of token \(token) at position \(position) is infinite")
  }
  static func noChoice(position: Int) -> GenerationError {
    GenerationError(code: .invalidInput, message: "all logits at position \(position) are minus infinity")
  }
}
