import ArgumentParser
import Compiler
import Execution
import Generation
import GraphIR
import ONNXImport
import PlanFormat
import Tensors
import Tokenization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the exit code of the process says.
enum ExitStatus: Int32 {
  case success = 0
  /// The model, the plan, the prompt or another file is at fault.
  case inputAtFault = 1
  case wrongUsage = 2
  case qualityGateFailed = 3
  /// The input is sound but needs something that is not supported.
  case unsupported = 5
  /// A bug of ours.
  case internalFault = 70
  /// Stopped by Ctrl-C, as shells tell it; what was printed holds for the part that was done.
  case interrupted = 130

  /// The status that an error stands for.
  init(_ error: any Error) {
    switch error {
    case let error as CommandError: self = error.status
    case let error as GenerationError: self = error.code == .unsupported ? .unsupported : .inputAtFault
    case let error as ExecutionError: self = error.code == .unsupported ? .unsupported : .inputAtFault
    case let error as CompilerError:
      switch error.code {
      case .invalidInput: self = .inputAtFault
      case .unsupported: self = .unsupported
      case .internalFault: self = .internalFault
      }
    case let error as ImportError: self = error.code == .unsupported ? .unsupported : .inputAtFault
    case is PlanError, is TokenizationError, is ModuleFileError, is FileError, is NPY.Failure:
      self = .inputAtFault
    default: self = .internalFault
    }
  }

  /// Prints an error once, help where it was asked for, and ends the process.
  static func exit(with result: Result<Void, any Error>) -> Never {
    guard case .failure(let error) = result else { end(.success) }
    if error is StandardStream.BrokenPipe { end(.success) }
    switch Tandem.exitCode(for: error) {
    case .success:
      try? StandardStream.output.write(Tandem.fullMessage(for: error) + "\n")
      end(.success)
    case .validationFailure:
      StandardStream.report(withoutPrefix(Tandem.fullMessage(for: error)))
      end(.wrongUsage)
    default:
      let status = ExitStatus(error)
      StandardStream.report(status == .internalFault ? "internal error: \(error)" : "\(error)")
      end(status)
    }
  }

  private static func withoutPrefix(_ message: String) -> String {
    let prefix = "Error: "
    return message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : message
  }

  /// Without the destructors of objects at the end of the process: mappings go away with it.
  private static func end(_ status: ExitStatus) -> Never { _exit(status.rawValue) }
}
