import CKernels
import Foundation
import Testing

@testable import Kernels

struct VectorMathTests {
  /// A function in double precision and the bounds that `map_lanes.h` states.
  struct Function: Sendable, CustomTestStringConvertible {
    let family: String
    let exact: @Sendable (Double) -> Double
    /// Where the bound in units in the last place holds, and the bound in absolute terms elsewhere.
    let range: ClosedRange<Float>
    let ulps: Double
    let absolute: Double
    var testDescription: String { family }
  }

  static let functions: [Function] = [
    Function(family: "exp_f32", exact: { Foundation.exp($0) }, range: -110...90, ulps: 1.25, absolute: 0),
    Function(family: "tanh_f32", exact: { Foundation.tanh($0) }, range: -110...110, ulps: 2.5, absolute: 0),
    Function(family: "sigmoid_f32", exact: sigmoid, range: -110...110, ulps: 3, absolute: 0),
    Function(family: "silu_f32", exact: { $0 * sigmoid($0) }, range: -87...110, ulps: 4, absolute: 1e-42),
    Function(
      family: "gelu_f32", exact: { $0 / 2 * erfc(-$0 * 0.5.squareRoot()) }, range: -1...110, ulps: 8,
      absolute: 6e-8),
    Function(family: "gelu_tanh_f32", exact: geluTanh, range: -2...110, ulps: 10, absolute: 3e-8),
  ]

  private static func sigmoid(_ x: Double) -> Double {
    let e = Foundation.exp(-x.magnitude)
    return x < 0 ? e / (1 + e) : 1 / (1 + e)
  }

  private static func geluTanh(_ x: Double) -> Double {
    x * sigmoid(2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))
  }

  /// Dense steps over -120...120 and all magnitudes below.
  static let samples: [Float] = {
    var result = stride(from: Float(-120), to: 120, by: 0.0071).map { $0 }
    for exponent in -149..<0 {
      for significand in [Float(1), 1.25, 1.7] {
        let value = Float(sign: .plus, exponent: exponent, significand: significand)
        result += [value, -value]
      }
    }
    return result
  }()

  @Test(arguments: functions)
  func staysWithinItsErrorBounds(function: Function) {
    for kernel in MicroKernel.runnable(function.family) {
      let y = GuardedBuffer(count: Self.samples.count)
      kernel.pointer(as: MicroKernelType.Map.self)(Self.samples.count, Self.samples, y.base)
      for (x, y) in zip(Self.samples, y.values) {
        let exact = function.exact(Double(x))
        if exact.magnitude > Double(Float.greatestFiniteMagnitude) {
          #expect(y.isInfinite)
          continue
        }
        let error = (Double(y) - exact).magnitude
        let bound = function.range.contains(x) ? function.ulps * Double(Float(exact).ulp) : function.absolute
        #expect(error <= max(bound, function.absolute == 0 ? 1.5e-45 : 1e-42), "\(kernel) at \(x): \(y)")
      }
    }
  }

  @Test(arguments: functions)
  func elementsDoNotDependOnTheirNeighbours(function: Function) {
    for kernel in MicroKernel.runnable(function.family) {
      let map = kernel.pointer(as: MicroKernelType.Map.self)
      var random = Random(3)
      for count in [0, 1, 7, 8, 15, 16, 17, 31, 33, 100] {
        let values = random.floats(count, in: -6...6)
        for startsAtPage in [false, true] {
          let x = GuardedBuffer(values, startsAtPage: startsAtPage)
          let y = GuardedBuffer(values, startsAtPage: startsAtPage)
          withExtendedLifetime(x) { map(count, x.base, y.base) }
          let together = y.values
          for index in 0..<count {
            var single: Float = .nan
            map(1, x.base + index, &single)
            #expect(single.bitPattern == together[index].bitPattern)
          }
          map(count, x.base, x.base)
          #expect(x.values.bits == together.bits, "in place")
        }
      }
    }
  }

  @Test(arguments: functions)
  func specialValues(function: Function) {
    for kernel in MicroKernel.runnable(function.family) {
      let map = kernel.pointer(as: MicroKernelType.Map.self)
      let x: [Float] = [.nan, .infinity, 0, 1e30]
      var y = x
      map(x.count, x, &y)
      #expect(y[0].isNaN)
      for index in 1..<x.count {
        #expect(y[index] == Float(function.exact(Double(x[index]))) || y[index] == x[index])
      }
    }
  }
}
