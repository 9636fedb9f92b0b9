import Tensors

/// A function of one floating-point number, with its attributes as stored properties.
protocol RealFunction: Sendable {
  func apply<T: Real>(_ x: T) -> T
}

/// A function of one number of any type, with its attributes as stored properties.
protocol NumberFunction: Sendable {
  func apply<T: Number>(_ x: T) -> T
}

/// Applies a function to every element of an f32 or f64 tensor.
struct RealUnaryKernel<Function: RealFunction>: RealKernel {
  let function: Function

  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    ElementwiseLoop.map(x, call.allocate(0, x.element, x.shape)) { (value: T) in function.apply(value) }
  }
}

/// Applies a function to every element of a tensor of numbers.
struct NumberUnaryKernel<Function: NumberFunction>: NumberKernel {
  let function: Function

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    ElementwiseLoop.map(x, call.allocate(0, x.element, x.shape)) { (value: T) in function.apply(value) }
  }
}

extension KernelEntry {
  static func real(
    _ name: String, _ function: @escaping @Sendable (Attributes) throws(KernelError) -> some RealFunction
  ) -> KernelEntry {
    KernelEntry(name, widensNarrowFloats: true) { attributes throws(KernelError) in
      RealUnaryKernel(function: try function(attributes))
    }
  }

  static func number(
    _ name: String, _ function: @escaping @Sendable (Attributes) throws(KernelError) -> some NumberFunction
  ) -> KernelEntry {
    KernelEntry(name, widensNarrowFloats: true) { attributes throws(KernelError) in
      NumberUnaryKernel(function: try function(attributes))
    }
  }
}

enum ElementwiseKernels {
  static let unary: [KernelEntry] = [
    .number("abs") { _ in Absolute() },
    .number("neg") { _ in Negation() },
    .number("sign") { _ in Sign() },
    .number("relu") { _ in Rectifier() },
    .number("shrink") { Shrink(lambda: $0.float("lambd", default: 0.5), bias: $0.float("bias", default: 0)) },
    .real("acos") { _ in ArcCosine() },
    .real("acosh") { _ in AreaHyperbolicCosine() },
    .real("asin") { _ in ArcSine() },
    .real("asinh") { _ in AreaHyperbolicSine() },
    .real("atan") { _ in ArcTangent() },
    .real("atanh") { _ in AreaHyperbolicTangent() },
    .real("ceil") { _ in Ceiling() },
    .real("cos") { _ in Cosine() },
    .real("cosh") { _ in HyperbolicCosine() },
    .real("erf") { _ in ErrorFunction() },
    .real("exp") { _ in Exponential() },
    .real("floor") { _ in Floor() },
    .real("log") { _ in Logarithm() },
    .real("reciprocal") { _ in Reciprocal() },
    .real("round") { _ in RoundHalfToEven() },
    .real("sin") { _ in Sine() },
    .real("sinh") { _ in HyperbolicSine() },
    .real("sqrt") { _ in SquareRoot() },
    .real("tan") { _ in Tangent() },
    .real("tanh") { _ in HyperbolicTangent() },
    KernelEntry("identity", aliasing: 0) { _ in IdentityKernel() },
    KernelEntry("is_nan") { _ in IsNaNKernel() },
    KernelEntry("is_inf") {
      IsInfKernel(
        negative: $0.bool("detect_negative", default: true),
        positive: $0.bool("detect_positive", default: true))
    },
    KernelEntry("clip", widensNarrowFloats: true) { _ in ClipKernel() },
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
struct Exponential: RealFunction { func apply<T: Real>(_ x: T) -> T { T.exp(x) } }
struct Floor: RealFunction { func apply<T: Real>(_ x: T) -> T { x.rounded(.down) } }
struct Logarithm: RealFunction { func apply<T: Real>(_ x: T) -> T { T.log(x) } }
struct Reciprocal: RealFunction { @inline(__always) func apply<T: Real>(_ x: T) -> T { 1 / x } }
struct RoundHalfToEven: RealFunction { func apply<T: Real>(_ x: T) -> T { x.rounded(.toNearestOrEven) } }
struct Sine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.sin(x) } }
struct HyperbolicSine: RealFunction { func apply<T: Real>(_ x: T) -> T { T.sinh(x) } }
struct SquareRoot: RealFunction { @inline(__always) func apply<T: Real>(_ x: T) -> T { x.squareRoot() } }
struct Tangent: RealFunction { func apply<T: Real>(_ x: T) -> T { T.tan(x) } }
struct HyperbolicTangent: RealFunction { func apply<T: Real>(_ x: T) -> T { T.tanh(x) } }
