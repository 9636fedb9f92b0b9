public import Tensors

/// One line of the kernel list: how to make a kernel, and what planning must know about it.
public struct KernelEntry: Sendable {
  /// The mnemonic of the operator that the kernel computes, as in the text IR.
  public let name: String
  /// Whether f16 and bf16 operands are widened to f32 and results rounded back by the dispatcher,
  /// for kernels that themselves accept f32 only.
  public let widensNarrowFloats: Bool
  /// Results that stay f32 when operands are widened: statistics.
  public let keepsWide: [Int]
  private let sharing: MemorySharing
  private let body: @Sendable (Attributes) throws(KernelError) -> any Kernel

  init(
    _ name: String, sharing: MemorySharing = .none, widensNarrowFloats: Bool = false, keepsWide: [Int] = [],
    make body: @escaping @Sendable (Attributes) throws(KernelError) -> any Kernel
  ) {
    self.name = name
    self.sharing = sharing
    self.widensNarrowFloats = widensNarrowFloats
    self.keepsWide = keepsWide
    self.body = body
  }

  /// The kernel for these attributes.
  public func prepare(_ attributes: Attributes) throws(KernelError) -> any Kernel {
    let kernel = try body(attributes)
    return widensNarrowFloats ? WideningKernel(kernel, keepsWide: keepsWide) : kernel
  }

  /// Whether the kernel writes into memory of its operands: state of an executor. The interpreter, whose tensors are
  /// values, evaluates the operator's decomposition instead.
  public var writesOperands: Bool { if case .updates = sharing { true } else { false } }

  /// The caches that the kernel makes longer in place, where the operands are given.
  public func updates(_ attributes: Attributes) -> [CacheUpdate] {
    if case .updates(let list) = sharing { list(attributes) } else { [] }
  }

  /// The operand whose memory a result may lie in, if any.
  public func sharedOperand(ofResult result: Int, _ attributes: Attributes) -> Int? {
    switch sharing {
    case .none: nil
    case .views(let operand): operand
    case .updates(let list): list(attributes).first { $0.result == result }?.operand
    }
  }
}

/// Which results lie in the memory of operands; all others have their own.
enum MemorySharing: Sendable {
  case none
  /// Every result may be a view of this operand.
  case views(of: Int)
  /// Some operands are caches, which become results.
  case updates(@Sendable (Attributes) -> [CacheUpdate])
}

/// A cache that a kernel makes longer: the operand is a view of memory with room behind its end, and the result is the
/// same view, longer along an axis.
public struct CacheUpdate: Sendable {
  public let operand: Int
  public let result: Int
  public let axis: Int
}
