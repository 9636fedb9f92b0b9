/// A model cannot be converted.
public struct CompilerError: Error, CustomStringConvertible, Sendable {
  public enum Code: Sendable {
    case invalidInput
    case unsupported
    /// A pass broke the module: our bug.
    case internalFault
  }

  public let code: Code
  /// Lower case: file, node, what was found and what would be accepted.
  public let message: String

  public var description: String { message }

  static func usage(_ message: String) -> CompilerError {
    CompilerError(code: .invalidInput, message: message)
  }
  static func unknownStage(_ name: String, accepted: [String]) -> CompilerError {
    usage("there is no stage '\(name)', accepted are \(accepted.joined(separator: ", "))")
  }
  static func unknownPass(_ name: String, accepted: [String]) -> CompilerError {
    usage("there is no pass '\(name)', accepted are \(accepted.joined(separator: ", "))")
  }
  static func noTokenizer(_ path: String) -> CompilerError {
    CompilerError(code: .invalidInput, message: "'\(path)': there is no such tokenizer file")
  }
  static func overwrites(_ path: String) -> CompilerError {
    CompilerError(code: .invalidInput, message: "'\(path)': the plan would replace what it is made of")
  }
  static func joinedAlready(_ path: String, _ small: String) -> CompilerError {
    CompilerError(
      code: .invalidInput,
      message:
        "'\(path)' has several functions, so '\(small)' cannot be joined; accepted is an exported model")
  }
  static func noPair(_ path: String, small: String, _ reason: String) -> CompilerError {
    CompilerError(code: .invalidInput, message: "'\(small)' does not go with '\(path)': \(reason)")
  }
  static func isPlan(_ path: String) -> CompilerError {
    CompilerError(
      code: .invalidInput,
      message:
        "'\(path)' is a plan already; accepted are MODEL.onnx, and stages (.ir) that --dump-stages wrote")
  }
  static func specialized(_ path: String, context: Int, asked: Int) -> CompilerError {
    CompilerError(
      code: .invalidInput,
      message: "'\(path)': its functions are made for a context of \(context), --max-context is \(asked); "
        + "accepted are \(context), and stages before 'specialize-phases'")
  }
  static func context(_ value: Int) -> CompilerError {
    CompilerError(
      code: .invalidInput,
      message: "the context length is \(value), accepted are \(ConversionOptions.contexts)")
  }
  static func shortContext(_ value: Int, least: Int) -> CompilerError {
    CompilerError(
      code: .invalidInput,
      message:
        "the context length is \(value), too short to try drafts in; accepted with a small model are \(least)"
        + " and more")
  }
  static func patchLimit(_ value: Int) -> CompilerError {
    CompilerError(
      code: .invalidInput, message: "the number of the last patch is \(value), accepted are 0 and more")
  }
}
