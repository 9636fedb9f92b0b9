/// A plan cannot be run, or a run failed.
public struct ExecutionError: Error, CustomStringConvertible, Sendable {
  public enum Code: Sendable {
    /// The caller's tensors or sizes do not fit.
    case invalidInput
    /// The plan needs something that this build does not have.
    case unsupported
  }

  public let code: Code
  /// Lower case: where, what was found, and what would be accepted.
  public let message: String

  public var description: String { message }

  static func missingInput(_ name: String, _ type: String) -> ExecutionError {
    ExecutionError(code: .invalidInput, message: "input '\(name)' has no tensor, accepted is \(type)")
  }
  static func unknownInput(_ name: String, accepted: [String]) -> ExecutionError {
    unknown("input", name, accepted)
  }
  static func unknownOutput(_ name: String, accepted: [String]) -> ExecutionError {
    unknown("output", name, accepted)
  }
  private static func unknown(_ kind: String, _ name: String, _ accepted: [String]) -> ExecutionError {
    let list = accepted.map { "'\($0)'" }.joined(separator: ", ")
    return ExecutionError(
      code: .invalidInput, message: "there is no \(kind) '\(name)', accepted are \(list)")
  }
  static func input(_ name: String, found: String, accepted: String) -> ExecutionError {
    ExecutionError(code: .invalidInput, message: "input '\(name)': found \(found), accepted is \(accepted)")
  }
  static func foreignState(_ name: String, _ function: String) -> ExecutionError {
    ExecutionError(
      code: .invalidInput,
      message: "function '\(function)': its cache '\(name)' is none of those to be shared")
  }
  static func stateCount(_ function: String, found: Int, accepted: Int) -> ExecutionError {
    ExecutionError(
      code: .invalidInput,
      message: "function '\(function)': it has \(found) caches, accepted are the \(accepted) to be shared")
  }
  static func conflict(_ name: String, axis: Int, found: Int, dim: String, bound: Int) -> ExecutionError {
    ExecutionError(
      code: .invalidInput,
      message: "input '\(name)': axis \(axis) is \(found), but '\(dim)' is \(bound) in another input")
  }
}
