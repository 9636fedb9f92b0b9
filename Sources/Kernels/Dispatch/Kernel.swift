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

/// One line of the kernel list: how to make a kernel, and what planning must know about it.
public struct KernelEntry: Sendable {
  /// The mnemonic of the operator that the kernel computes, as in the text IR.
  public let name: String
  /// The operand whose memory results may share (a view), if any.
  public let aliasedOperand: Int?
  /// Whether f16 and bf16 operands are widened to f32 and results rounded back by the dispatcher,
  /// for kernels that themselves accept f32 only.
  public let widensNarrowFloats: Bool
  /// Results that stay f32 when operands are widened: statistics.
  public let keepsWide: [Int]
  /// Whether the kernel writes into its aliased operand's memory, which must have room: state of an executor. The
  /// interpreter, whose tensors are values, evaluates the operator's decomposition instead.
  public let writesOperand: Bool
  private let body: @Sendable (Attributes) throws(KernelError) -> any Kernel

  public init(
    _ name: String, aliasing aliasedOperand: Int? = nil, widensNarrowFloats: Bool = false,
    keepsWide: [Int] = [], writesOperand: Bool = false,
    make body: @escaping @Sendable (Attributes) throws(KernelError) -> any Kernel
  ) {
    self.name = name
    self.aliasedOperand = aliasedOperand
    self.widensNarrowFloats = widensNarrowFloats
    self.keepsWide = keepsWide
    self.writesOperand = writesOperand
    self.body = body
  }

  /// The kernel for these attributes.
  public func prepare(_ attributes: Attributes) throws(KernelError) -> any Kernel {
    let kernel = try body(attributes)
    return widensNarrowFloats ? WideningKernel(kernel, keepsWide: keepsWide) : kernel
  }
}
