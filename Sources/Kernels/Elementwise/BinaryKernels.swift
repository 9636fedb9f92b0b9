import Tensors

/// A kernel that combines two tensors of numbers with broadcasting.
protocol BinaryOperation: NumberKernel {
  func apply<T: Number>(_ a: T, _ b: T) -> T
}

extension BinaryOperation {
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let (a, b) = (call[0], try call.operand(1, like: 0))
    let y = call.allocate(0, a.element, try Broadcasting.shape(a.shape, b.shape))
    ElementwiseLoop.map(a, b, y) { (p: T, q: T) in apply(p, q) }
  }
}

/// A kernel that folds one or more tensors of numbers with broadcasting, from left to right.
protocol VariadicOperation: NumberKernel {
  func apply<T: Number>(_ a: T, _ b: T) -> T
  /// Turns the fold of `count` operands into the result.
  func finish<T: Number>(_ y: TensorView, count: Int, as type: T.Type)
}

extension VariadicOperation {
  func finish<T: Number>(_ y: TensorView, count: Int, as type: T.Type) {}

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let count = call.operandCount
    var shape = call[0].shape
    for index in 1..<max(count, 1) {
      shape = try Broadcasting.shape(shape, try call.operand(index, like: 0).shape)
    }
    let y = call.allocate(0, call[0].element, shape)
    if count == 1 {
      StridedCopy.run(from: call[0], to: y)
    } else {
      ElementwiseLoop.map(call[0], call[1], y) { (p: T, q: T) in apply(p, q) }
    }
    for index in 2..<max(count, 2) {
      ElementwiseLoop.map(y, call[index], y) { (p: T, q: T) in apply(p, q) }
    }
    finish(y, count: count, as: type)
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

extension ElementwiseKernels {
  static let binary: [KernelEntry] = [
    .widening("add") { _ in Addition() },
    .widening("sub") { _ in Subtraction() },
    .widening("mul") { _ in Multiplication() },
    .widening("div") { _ in Division() },
    .widening("prelu") { _ in ParametricRectifier() },
    .widening("mod") { attributes in
      if attributes.bool("fmod", default: false) { return Remainder() }
      return Modulus()
    },
    KernelEntry("pow") { _ in PowerKernel() },
    .widening("max") { _ in Largest() },
    .widening("min") { _ in Smallest() },
    .widening("sum") { _ in SumOfAll() },
    .widening("mean") { _ in MeanOfAll() },
  ]
}

struct Addition: BinaryOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.sum(a, b) }
}
struct Subtraction: BinaryOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.difference(a, b) }
}
struct Multiplication: BinaryOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.product(a, b) }
}
struct Division: BinaryOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.quotient(a, b) }
}
/// `a` from 0 on, `slope a` below.
struct ParametricRectifier: BinaryOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ slope: T) -> T { a < 0 ? T.product(a, slope) : a }
}
struct Remainder: BinaryOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.remainder(a, b) }
}
struct Modulus: BinaryOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.modulus(a, b) }
}
struct Largest: VariadicOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.greater(a, b) }
}
struct Smallest: VariadicOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.lesser(a, b) }
}
struct SumOfAll: VariadicOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.sum(a, b) }
}
struct MeanOfAll: VariadicOperation {
  @inline(__always) func apply<T: Number>(_ a: T, _ b: T) -> T { T.sum(a, b) }

  func finish<T: Number>(_ y: TensorView, count: Int, as type: T.Type) {
    let divisor = T(converting: Double(count))
    ElementwiseLoop.map(y, y) { (value: T) in T.quotient(value, divisor) }
  }
}
