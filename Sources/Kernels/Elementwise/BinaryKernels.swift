import Tensors

/// A function of two numbers of one type.
protocol NumberOperation: Sendable {
  static func apply<T: Number>(_ a: T, _ b: T) -> T
}

/// Combines two tensors of numbers with broadcasting.
struct BinaryKernel<Operation: NumberOperation>: NumberKernel {
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let (a, b) = (call[0], try call.operand(1, like: 0))
    let y = call.allocate(0, a.element, try Broadcasting.shape(a.shape, b.shape))
    ElementwiseLoop.map(a, b, y) { (p: T, q: T) in Operation.apply(p, q) }
  }
}

/// Folds one or more tensors of numbers with broadcasting, from left to right.
struct VariadicKernel<Operation: NumberOperation>: NumberKernel {
  /// Whether the result is divided by the number of operands.
  var isMean = false

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let count = call.operandCount
    var shape = call[0].shape
    for index in 1..<max(count, 1) {
      shape = try Broadcasting.shape(shape, try call.operand(index, like: 0).shape)
    }
    let y = call.allocate(0, call[0].element, shape)
    if count == 1 {
      ElementwiseLoop.map(call[0], y) { (p: T) in p }
    } else {
      ElementwiseLoop.map(call[0], call[1], y) { (p: T, q: T) in Operation.apply(p, q) }
    }
    for index in 2..<max(count, 2) {
      ElementwiseLoop.map(y, call[index], y) { (p: T, q: T) in Operation.apply(p, q) }
    }
    if isMean {
      let divisor = T(converting: Double(count))
      ElementwiseLoop.map(y, y) { (p: T) in T.quotient(p, divisor) }
    }
  }
}

/// `a[i]` to the power of `b[i]`; the result has the type of `a`, exponents may have another one.
struct PowerKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let base = call[0].element
    if base == .f16 || base == .bf16 { return try WideningKernel(self).run(call) }
    if call[1].element == base { return try SameTypePower().run(call) }
    try MixedPower().run(call)
  }

  private struct SameTypePower: NumberKernel {
    func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
      let (a, b) = (call[0], call[1])
      let y = call.allocate(0, a.element, try Broadcasting.shape(a.shape, b.shape))
      if b.elementCount == 1, b.pointer(T.self)[0] == 2 {
        ElementwiseLoop.map(a, b, y) { (p: T, _: T) in T.product(p, p) }
      } else {
        ElementwiseLoop.map(a, b, y) { (p: T, q: T) in T.power(p, q) }
      }
    }
  }

  private struct MixedPower: NumberKernel {
    func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
      let (a, b) = (call[0], call.contiguous(1))
      let exponents = TensorView(call.resources.scratch(byteCount: b.elementCount * 8), .f64, b.shape)
      for index in 0..<b.elementCount {
        exponents.pointer(Double.self)[index] = NumberCoding.load(b.base, b.element, index)
      }
      let y = call.allocate(0, a.element, try Broadcasting.shape(a.shape, b.shape))
      ElementwiseLoop.map(a, exponents, y) { (p: T, q: Double) in T(converting: Double.power(p.asDouble, q)) }
    }
  }
}

extension KernelEntry {
  static func binary<O: NumberOperation>(_ name: String, _ operation: O.Type) -> KernelEntry {
    KernelEntry(name, widensNarrowFloats: true) { _ in BinaryKernel<O>() }
  }

  static func variadic<O: NumberOperation>(_ name: String, _ operation: O.Type, isMean: Bool = false)
    -> KernelEntry
  {
    KernelEntry(name, widensNarrowFloats: true) { _ in VariadicKernel<O>(isMean: isMean) }
  }
}

extension ElementwiseKernels {
  static let binary: [KernelEntry] = [
    .binary("add", Sum.self),
    .binary("sub", Difference.self),
    .binary("mul", Product.self),
    .binary("div", Quotient.self),
    .binary("prelu", ParametricRectifier.self),
    KernelEntry("mod", widensNarrowFloats: true) { attributes in
      if attributes.bool("fmod", default: false) { return BinaryKernel<Remainder>() }
      return BinaryKernel<Modulus>()
    },
    KernelEntry("pow") { _ in PowerKernel() },
    .variadic("max", Larger.self),
    .variadic("min", Smaller.self),
    .variadic("sum", Sum.self),
    .variadic("mean", Sum.self, isMean: true),
  ]
}

enum Sum: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ b: T) -> T { T.sum(a, b) }
}
enum Difference: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ b: T) -> T { T.difference(a, b) }
}
enum Product: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ b: T) -> T { T.product(a, b) }
}
enum Quotient: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ b: T) -> T { T.quotient(a, b) }
}
/// `a` from 0 on, `slope a` below.
enum ParametricRectifier: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ slope: T) -> T { a < 0 ? T.product(a, slope) : a }
}
enum Remainder: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ b: T) -> T { T.remainder(a, b) }
}
enum Modulus: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ b: T) -> T { T.modulus(a, b) }
}
enum Larger: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ b: T) -> T { T.greater(a, b) }
}
enum Smaller: NumberOperation {
  @inline(__always) static func apply<T: Number>(_ a: T, _ b: T) -> T { T.lesser(a, b) }
}
