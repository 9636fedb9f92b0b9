import Tensors

/// A relation between two numbers of one type.
protocol NumberRelation: Sendable {
  static func holds<T: Number>(_ a: T, _ b: T) -> Bool
}

/// Compares two tensors with broadcasting; the result is boolean.
struct RelationKernel<Relation: NumberRelation>: NumberKernel {
  var acceptsBool = false

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let (a, b) = (call[0], try call.operand(1, like: 0))
    let y = call.allocate(0, .bool, try Broadcasting.shape(a.shape, b.shape))
    ElementwiseLoop.map(a, b, y) { (p: T, q: T) in Relation.holds(p, q) }
  }
}

enum EqualTo: NumberRelation {
  @inline(__always) static func holds<T: Number>(_ a: T, _ b: T) -> Bool { a == b }
}
enum GreaterThan: NumberRelation {
  @inline(__always) static func holds<T: Number>(_ a: T, _ b: T) -> Bool { a > b }
}
enum GreaterOrEqual: NumberRelation {
  @inline(__always) static func holds<T: Number>(_ a: T, _ b: T) -> Bool { a >= b }
}
enum LessThan: NumberRelation {
  @inline(__always) static func holds<T: Number>(_ a: T, _ b: T) -> Bool { a < b }
}
enum LessOrEqual: NumberRelation {
  @inline(__always) static func holds<T: Number>(_ a: T, _ b: T) -> Bool { a <= b }
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

/// A function of the bits of two integers.
protocol BitOperation: Sendable {
  static func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T
}

/// Combines two integer tensors with broadcasting.
struct BitKernel<Operation: BitOperation>: IntegerKernel {
  func run<T: Number & FixedWidthInteger>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let (a, b) = (call[0], try call.operand(1, like: 0))
    let y = call.allocate(0, a.element, try Broadcasting.shape(a.shape, b.shape))
    ElementwiseLoop.map(a, b, y) { (p: T, q: T) in Operation.apply(p, q) }
  }
}

enum BitAnd: BitOperation {
  @inline(__always) static func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a & b }
}
enum BitOr: BitOperation {
  @inline(__always) static func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a | b }
}
enum BitXor: BitOperation {
  @inline(__always) static func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a ^ b }
}
/// Negative shifts count as unsigned, hence shift everything out.
enum ShiftLeft: BitOperation {
  @inline(__always) static func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
    a << T.Magnitude(truncatingIfNeeded: b)
  }
}
/// Negative shifts count as unsigned, hence shift everything but the sign out.
enum ShiftRight: BitOperation {
  @inline(__always) static func apply<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
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

extension KernelEntry {
  static func relation<R: NumberRelation>(_ name: String, _ relation: R.Type, acceptsBool: Bool = false)
    -> KernelEntry
  {
    KernelEntry(name, widensNarrowFloats: true) { _ in RelationKernel<R>(acceptsBool: acceptsBool) }
  }
}

extension ElementwiseKernels {
  static let logic: [KernelEntry] = [
    .relation("equal", EqualTo.self, acceptsBool: true),
    .relation("greater", GreaterThan.self),
    .relation("greater_or_equal", GreaterOrEqual.self),
    .relation("less", LessThan.self),
    .relation("less_or_equal", LessOrEqual.self),
    KernelEntry("and") { _ in BooleanKernel { $0 && $1 } },
    KernelEntry("or") { _ in BooleanKernel { $0 || $1 } },
    KernelEntry("xor") { _ in BooleanKernel { $0 != $1 } },
    KernelEntry("not") { _ in NotKernel() },
    KernelEntry("bitwise_and") { _ in BitKernel<BitAnd>() },
    KernelEntry("bitwise_or") { _ in BitKernel<BitOr>() },
    KernelEntry("bitwise_xor") { _ in BitKernel<BitXor>() },
    KernelEntry("bitwise_not") { _ in BitwiseNotKernel() },
    KernelEntry("bit_shift") { attributes throws(KernelError) in
      switch attributes.string("direction", default: "") {
      case "LEFT": return BitKernel<ShiftLeft>()
      case "RIGHT": return BitKernel<ShiftRight>()
      case let other: throw .invalid("'direction' is '\(other)', accepted are 'LEFT' and 'RIGHT'")
      }
    },
    KernelEntry("where") { _ in WhereKernel() },
  ]
}
