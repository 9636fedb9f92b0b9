import Tensors

/// A kernel that applies a function to every element of an f32 or f64 tensor.
///
/// Attributes are stored properties. The types that conform are not generic, so that each has its own machine
/// code although kernels are called through `any Kernel`.
protocol RealFunction: RealKernel {
  func apply<T: Real>(_ x: T) -> T
  /// The same on dense f32 rows, when there is a C kernel for it.
  var rowFunction: MicroKernelType.Map? { get }
}

extension RealFunction {
  var rowFunction: MicroKernelType.Map? { nil }
}

extension RealFunction {
  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    let y = call.allocate(0, x.element, x.shape)
    if x.element == .f32, x.isContiguous, let rowFunction {
      return run(rowFunction, x, y, call.resources.pool)
    }
    ElementwiseLoop.map(x, y) { (value: T) in apply(value) }
  }

  private func run(_ rowFunction: MicroKernelType.Map, _ x: TensorView, _ y: TensorView, _ pool: ThreadPool) {
    let (from, to, count) = (x.pointer(Float.self), y.pointer(Float.self), x.elementCount)
    let piece = 4096
    pool.forEach((count + piece - 1) / piece) { index in
      rowFunction(min(piece, count - index * piece), from + index * piece, to + index * piece)
    }
  }
}

/// A kernel that applies a function to every element of a tensor of numbers.
protocol NumberFunction: NumberKernel {
  func apply<T: Number>(_ x: T) -> T
}

extension NumberFunction {
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    ElementwiseLoop.map(x, call.allocate(0, x.element, x.shape)) { (value: T) in apply(value) }
  }
}

extension KernelEntry {
  /// An entry of a kernel that itself knows f32 but not f16 and bf16.
  static func widening(
    _ name: String, make: @escaping @Sendable (Attributes) throws(KernelError) -> any Kernel
  ) -> KernelEntry {
    KernelEntry(name, widensNarrowFloats: true, make: make)
  }
}

enum ElementwiseKernels {
  static let unary: [KernelEntry] = [
    .widening("abs") { _ in Absolute() },
    .widening("neg") { _ in Negation() },
    .widening("sign") { _ in Sign() },
    .widening("relu") { _ in Rectifier() },
    .widening("shrink") {
      Shrink(lambda: $0.float("lambd", default: 0.5), bias: $0.float("bias", default: 0))
    },
    .widening("acos") { _ in ArcCosine() },
    .widening("acosh") { _ in AreaHyperbolicCosine() },
    .widening("asin") { _ in ArcSine() },
    .widening("asinh") { _ in AreaHyperbolicSine() },
    .widening("atan") { _ in ArcTangent() },
    .widening("atanh") { _ in AreaHyperbolicTangent() },
    .widening("ceil") { _ in Ceiling() },
    .widening("cos") { _ in Cosine() },
    .widening("cosh") { _ in HyperbolicCosine() },
    .widening("erf") { _ in ErrorFunction() },
    .widening("exp") { _ in Exponential() },
    .widening("floor") { _ in Floor() },
    .widening("log") { _ in Logarithm() },
    .widening("reciprocal") { _ in Reciprocal() },
    .widening("round") { _ in RoundHalfToEven() },
    .widening("sin") { _ in Sine() },
    .widening("sinh") { _ in HyperbolicSine() },
    .widening("sqrt") { _ in SquareRoot() },
    .widening("tan") { _ in Tangent() },
    .widening("tanh") { _ in HyperbolicTangent() },
    KernelEntry("identity", sharing: .views(of: 0)) { _ in IdentityKernel() },
    KernelEntry("is_nan") { _ in IsNaNKernel() },
    KernelEntry("is_inf") {
      IsInfKernel(
        negative: $0.bool("detect_negative", default: true),
        positive: $0.bool("detect_positive", default: true))
    },
    .widening("clip") { _ in ClipKernel() },
    KernelEntry("dropout") { _ in DropoutKernel() },
  ]
}

struct Absolute: NumberFunction {
  @inline(__always) func apply<T: Number>(_ x: T) -> T { T.absolute(x) }
}

struct Negation: NumberFunction {
  @inline(__always) func apply<T: Number>(_ x: T) -> T { T.negated(x) }
}

/// -1, 0 or 1; NaN stays.
struct Sign: NumberFunction {
  @inline(__always) func apply<T: Number>(_ x: T) -> T { x > 0 ? 1 : x < 0 ? T.negated(1) : x == 0 ? 0 : x }
}

/// `max(x, 0)`
struct Rectifier: NumberFunction {
  @inline(__always) func apply<T: Number>(_ x: T) -> T { T.greater(x, 0) }
}

/// `x + bias` below `-lambda`, `x - bias` above `lambda`, 0 between.
struct Shrink: NumberFunction {
  let lambda: Float, bias: Float

  func apply<T: Number>(_ x: T) -> T {
    let value = x.asDouble
    if value < -Double(lambda) { return T(converting: value + Double(bias)) }
    return value > Double(lambda) ? T(converting: value - Double(bias)) : 0
  }
}

struct ArcCosine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.acos(x) } }
struct AreaHyperbolicCosine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.acosh(x) } }
struct ArcSine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.asin(x) } }
struct AreaHyperbolicSine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.asinh(x) } }
struct ArcTangent: RealFunction { func apply<T: Real>(_ x: T) -> T { T.atan(x) } }
struct AreaHyperbolicTangent: RealFunction { func apply<T: Real>(_ x: T) -> T { T.atanh(x) } }
struct Ceiling: RealFunction { func apply<T: Real>(_ x: T) -> T { x.rounded(.up) } }
struct Cosine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.cos(x) } }
struct HyperbolicCosine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.cosh(x) } }
struct ErrorFunction: RealFunction { func apply<T: Real>(_ x: T) -> T { T.erf(x) } }
struct Exponential: RealFunction {
  func apply<T: Real>(_ x: T) -> T { T.exp(x) }
  var rowFunction: MicroKernelType.Map? { VectorMath.best.exp }
}
struct Floor: RealFunction { func apply<T: Real>(_ x: T) -> T { x.rounded(.down) } }
struct Logarithm: RealFunction { func apply<T: Real>(_ x: T) -> T { T.log(x) } }
struct Reciprocal: RealFunction { @inline(__always) func apply<T: Real>(_ x: T) -> T { 1 / x } }
struct RoundHalfToEven: RealFunction { func apply<T: Real>(_ x: T) -> T { x.rounded(.toNearestOrEven) } }
struct Sine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.sin(x) } }
struct HyperbolicSine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.sinh(x) } }
struct SquareRoot: RealFunction { @inline(__always) func apply<T: Real>(_ x: T) -> T { x.squareRoot() } }
struct Tangent: RealFunction { func apply<T: Real>(_ x: T) -> T { T.tan(x) } }
struct HyperbolicTangent: RealFunction {
  func apply<T: Real>(_ x: T) -> T { T.tanh(x) }
  var rowFunction: MicroKernelType.Map? { VectorMath.best.tanh }
}
