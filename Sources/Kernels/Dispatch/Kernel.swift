public import Tensors

/// A computation over tensors, prepared from its attributes once and run many times.
///
/// Kernels know no graph. A kernel reads its operands through ``KernelCall``, works out the shapes of its results
/// from them, and asks the call for result memory; so one implementation serves the interpreter, which allocates,
/// and the executor, which hands out planned memory. Kernels may run concurrently on different calls.
public protocol Kernel: Sendable {
  func run(_ call: KernelCall) throws(KernelError)
}

/// Why a kernel cannot be prepared or run. The caller knows the node and adds it.
public struct KernelError: Error, CustomStringConvertible, Sendable {
  public enum Code: Sendable {
    /// Operands that break the operator's rules: shapes that do not broadcast, an index out of range.
    case invalidInput
    /// Legal, but not implemented: an element type, a mode.
    case unsupported
  }

  public let code: Code
  /// Lower case: what was found and what would be accepted.
  public let message: String

  public var description: String { message }

  public static func invalid(_ message: String) -> KernelError {
    KernelError(code: .invalidInput, message: message)
  }
  public static func unsupported(_ message: String) -> KernelError {
    KernelError(code: .unsupported, message: message)
  }

  /// The usual refusal of an element type.
  public static func element(_ found: ElementType, of operand: String, accepted: String) -> KernelError {
    unsupported("'\(operand)' has element type \(found), accepted are \(accepted)")
  }
}
