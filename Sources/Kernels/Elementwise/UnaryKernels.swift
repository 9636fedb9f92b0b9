import Foundation
import Tensors

/// A function of one floating-point number.
protocol UnaryFunction: Sendable {
  static func apply(_ x: Float) -> Float
  static func apply(_ x: Double) -> Double
}

/// Applies a function to every element of an f32 or f64 tensor.
struct UnaryKernel<Function: UnaryFunction>: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let y = call.allocate(0, x.element, x.shape)
    switch x.element {
    case .f32:
      Self.map(x, y, as: Float.self) { Function.apply($0) }
    case .f64:
      Self.map(x, y, as: Double.self) { Function.apply($0) }
    default: throw .element(x.element, of: "x", accepted: "f16, bf16, f32 and f64")
    }
  }

  @inline(__always)
  private static func map<T: BitwiseCopyable>(
    _ x: TensorView, _ y: TensorView, as type: T.Type, _ function: (T) -> T
  ) {
    let from = x.base.assumingMemoryBound(to: T.self)
    let to = y.base.assumingMemoryBound(to: T.self)
    StridedLoop(y.shape, y.strides, x.strides).forEachRow { row in
      let (a, b) = (to + row.offset0, from + row.offset1)
      if row.stride0 == 1, row.stride1 == 1 {
        for index in 0..<row.count { a[index] = function(b[index]) }
      } else {
        for index in 0..<row.count { a[index &* row.stride0] = function(b[index &* row.stride1]) }
      }
    }
  }
}

extension KernelEntry {
  static func unary<F: UnaryFunction>(_ name: String, _ function: F.Type) -> KernelEntry {
    KernelEntry(name, widensNarrowFloats: true) { _ in UnaryKernel<F>() }
  }
}

enum ElementwiseKernels {
  static let unary: [KernelEntry] = [
    .unary("exp", Exp.self),
    .unary("sqrt", SquareRoot.self),
    .unary("tanh", Tanh.self),
  ]
  static let binary: [KernelEntry] = []
}

enum Exp: UnaryFunction {
  static func apply(_ x: Float) -> Float { Foundation.exp(x) }
  static func apply(_ x: Double) -> Double { Foundation.exp(x) }
}

enum SquareRoot: UnaryFunction {
  static func apply(_ x: Float) -> Float { x.squareRoot() }
  static func apply(_ x: Double) -> Double { x.squareRoot() }
}

enum Tanh: UnaryFunction {
  static func apply(_ x: Float) -> Float { Foundation.tanh(x) }
  static func apply(_ x: Double) -> Double { Foundation.tanh(x) }
}
