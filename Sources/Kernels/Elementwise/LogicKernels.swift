import Tensors

/// A kernel that compares two tensors with broadcasting; the result is boolean.
protocol NumberRelation: NumberKernel {
  func holds<T: Number>(_ a: T, _ b: T) -> Bool
}

extension NumberRelation {
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let (a, b) = (call[0], try call.operand(1, like: 0))
    let y = call.allocate(0, .bool, try Broadcasting.shape(a.shape, b.shape))
    ElementwiseLoop.map(a, b, y) { (p: T, q: T) in holds(p, q) }
  }
}

struct EqualTo: NumberRelation {
  var acceptsBool: Bool { true }
  @inline(__always) func holds<T: Number>(_ a: T, _ b: T) -> Bool { a == b }
}
struct GreaterThan: NumberRelation {
  @inline(__always) func holds<T: Number>(_ a: T, _ b: T) -> Bool { a > b }
}
struct GreaterOrEqual: NumberRelation {
  @inline(__always) func holds<T: Number>(_ a: T, _ b: T) -> Bool { a >= b }
}
struct LessThan: NumberRelation {
  @inline(__always) func holds<T: Number>(_ a: T, _ b: T) -> Bool { a < b }
}
struct LessOrEqual: NumberRelation {
  @inline(__always) func holds<T: Number>(_ a: T, _ b: T) -> Bool { a <= b }
}

/// Combines two boolean tensors with broadcasting.
struct BooleanKernel: Kernel {
  let function: @Sendable (Bool, Bool) -> Bool

  func run(_ call: KernelCall) throws(KernelError) {
    let (a, b) = (call[0], try call.operand(1, like: 0))
    guard a.element == .bool else { throw .element(a.element, of: "a", accepted: "bool") }
    let y = call.allocate(0, .bool, try Broadcasting.shape(a.shape, b.shape))
    ElementwiseLoop.map(a, b, y) { (p: UInt8, q: UInt8) in function(p != 0, q != 0) }
  }
}

/// The negation of a boolean tensor.
struct NotKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    guard x.element == .bool else { throw .element(x.element, of: "x", accepted: "bool") }
    ElementwiseLoop.map(x, call.allocate(0, .bool, x.shape)) { (value: UInt8) in value == 0 }
  }
}

/// A kernel that combines two integer tensors with broadcasting.
protocol BitOperation: IntegerKernel {
  func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T
}

extension BitOperation {
  func run<T: Number & FixedWidthInteger>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let (a, b) = (call[0], try call.operand(1, like: 0))
    let y = call.allocate(0, a.element, try Broadcasting.shape(a.shape, b.shape))
    ElementwiseLoop.map(a, b, y) { (p: T, q: T) in apply(p, q) }
  }
}

struct BitAnd: BitOperation {
  @inline(__always) func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a & b }
}
struct BitOr: BitOperation {
  @inline(__always) func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a | b }
}
struct BitXor: BitOperation {
  @inline(__always) func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a ^ b }
}
/// Negative shifts count as unsigned, hence shift everything out.
struct ShiftLeft: BitOperation {
  @inline(__always) func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
    a << T.Magnitude(truncatingIfNeeded: b)
  }
}
/// Negative shifts count as unsigned, hence shift everything but the sign out.
struct ShiftRight: BitOperation {
  @inline(__always) func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
    a >> T.Magnitude(truncatingIfNeeded: b)
  }
}

/// The complement of every bit of an integer tensor.
struct BitwiseNotKernel: IntegerKernel {
  func run<T: Number & FixedWidthInteger>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    ElementwiseLoop.map(x, call.allocate(0, x.element, x.shape)) { (value: T) in ~value }
  }
}

extension ElementwiseKernels {
  static let logic: [KernelEntry] = [
    .widening("equal") { _ in EqualTo() },
    .widening("greater") { _ in GreaterThan() },
    .widening("greater_or_equal") { _ in GreaterOrEqual() },
    .widening("less") { _ in LessThan() },
    .widening("less_or_equal") { _ in LessOrEqual() },
    KernelEntry("and") { _ in BooleanKernel { $0 && $1 } },
    KernelEntry("or") { _ in BooleanKernel { $0 || $1 } },
    KernelEntry("xor") { _ in BooleanKernel { $0 != $1 } },
    KernelEntry("not") { _ in NotKernel() },
    KernelEntry("bitwise_and") { _ in BitAnd() },
    KernelEntry("bitwise_or") { _ in BitOr() },
    KernelEntry("bitwise_xor") { _ in BitXor() },
    KernelEntry("bitwise_not") { _ in BitwiseNotKernel() },
    KernelEntry("bit_shift") { attributes throws(KernelError) in
      switch attributes.string("direction", default: "") {
      case "LEFT": return ShiftLeft()
      case "RIGHT": return ShiftRight()
      case let other: throw .invalid("'direction' is '\(other)', accepted are 'LEFT' and 'RIGHT'")
      }
    },
    KernelEntry("where") { _ in WhereKernel() },
  ]
}
