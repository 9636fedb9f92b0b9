import Tensors

extension ElementwiseKernels {
  static let activations: [KernelEntry] = [
    .widening("celu") { Celu(alpha: $0.float("alpha", default: 1)) },
    .widening("elu") { Elu(alpha: $0.float("alpha", default: 1)) },
    .widening("gelu") { attributes throws(KernelError) in
      switch attributes.string("approximate", default: "none") {
      case "none": return Gelu()
      case "tanh": return GeluTanh()
      case let other: throw .invalid("'approximate' is '\(other)', accepted are 'none' and 'tanh'")
      }
    },
    .widening("hard_sigmoid") {
      HardSigmoid(alpha: $0.float("alpha", default: 0.2), beta: $0.float("beta", default: 0.5))
    },
    .widening("hard_swish") { _ in HardSwish() },
    .widening("leaky_relu") { LeakyRectifier(alpha: $0.float("alpha", default: 0.01)) },
    .widening("mish") { _ in Mish() },
    .widening("selu") {
      Selu(
        alpha: $0.float("alpha", default: 1.67326319217681884765625),
        gamma: $0.float("gamma", default: 1.05070102214813232421875))
    },
    .widening("sigmoid") { _ in Sigmoid() },
    .widening("softplus") { _ in Softplus() },
    .widening("softsign") { _ in Softsign() },
    .widening("swish") { Swish(alpha: $0.float("alpha", default: 1)) },
    .widening("thresholded_relu") { ThresholdedRectifier(alpha: $0.float("alpha", default: 1)) },
  ]
}

/// `max(0, x) + min(0, alpha (exp(x / alpha) - 1))`
struct Celu: RealFunction {
  let alpha: Float
  func apply<T: Real>(_ x: T) -> T { x > 0 ? x : T(alpha) * T.expMinusOne(x / T(alpha)) }
}

/// `x` above 0, else `alpha (exp(x) - 1)`
struct Elu: RealFunction {
  let alpha: Float
  func apply<T: Real>(_ x: T) -> T { x > 0 ? x : T(alpha) * T.expMinusOne(x) }
}

/// `x/2 (1 + erf(x / sqrt(2)))`
struct Gelu: RealFunction {
  func apply<T: Real>(_ x: T) -> T { 0.5 * x * (1 + T.erf(x * T(0.5).squareRoot())) }
  var rowFunction: MicroKernelType.Map? { VectorMath.best.gelu }
}

/// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`
struct GeluTanh: RealFunction {
  func apply<T: Real>(_ x: T) -> T {
    let scale = (2 / T.pi).squareRoot()
    return 0.5 * x * (1 + T.tanh(scale * (x + T(0.044715 as Double) * x * x * x)))
  }
  var rowFunction: MicroKernelType.Map? { VectorMath.best.geluTanh }
}

/// `max(0, min(1, alpha x + beta))`
struct HardSigmoid: RealFunction {
  let alpha: Float, beta: Float
  @inline(__always) func apply<T: Real>(_ x: T) -> T { T.greater(T.lesser(T(alpha) * x + T(beta), 1), 0) }
}

/// `x max(0, min(1, x/6 + 1/2))`
struct HardSwish: RealFunction {
  @inline(__always) func apply<T: Real>(_ x: T) -> T { x * T.greater(T.lesser(x * (1 / 6) + 0.5, 1), 0) }
}

/// `x` from 0 on, `alpha x` below.
struct LeakyRectifier: RealFunction {
  let alpha: Float
  @inline(__always) func apply<T: Real>(_ x: T) -> T { x < 0 ? T(alpha) * x : x }
}

/// `x tanh(log(1 + exp(x)))`
struct Mish: RealFunction {
  func apply<T: Real>(_ x: T) -> T { x * T.tanh(Softplus().apply(x)) }
}

/// `gamma x` above 0, else `gamma alpha (exp(x) - 1)`
struct Selu: RealFunction {
  let alpha: Float, gamma: Float
  func apply<T: Real>(_ x: T) -> T { T(gamma) * (x > 0 ? x : T(alpha) * T.expMinusOne(x)) }
}

/// `1 / (1 + exp(-x))`
struct Sigmoid: RealFunction {
  func apply<T: Real>(_ x: T) -> T { 1 / (1 + T.exp(-x)) }
  var rowFunction: MicroKernelType.Map? { VectorMath.best.sigmoid }
}

/// `log(1 + exp(x))`, without overflow.
struct Softplus: RealFunction {
  func apply<T: Real>(_ x: T) -> T { T.greater(x, 0) + T.logOnePlus(T.exp(-x.magnitude)) }
}

/// `x / (1 + |x|)`
struct Softsign: RealFunction {
  @inline(__always) func apply<T: Real>(_ x: T) -> T { x / (1 + x.magnitude) }
}

/// `x / (1 + exp(-alpha x))`
struct Swish: RealFunction {
  let alpha: Float
  func apply<T: Real>(_ x: T) -> T { x / (1 + T.exp(-(T(alpha) * x))) }
  var rowFunction: MicroKernelType.Map? { alpha == 1 ? VectorMath.best.silu : nil }
}

/// `x` above `alpha`, else 0.
struct ThresholdedRectifier: RealFunction {
  let alpha: Float
  @inline(__always) func apply<T: Real>(_ x: T) -> T { x > T(alpha) ? x : 0 }
}
