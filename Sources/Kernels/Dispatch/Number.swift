import Foundation
import Tensors

/// A Swift number that portable kernels compute with. Integers wrap and never trap.
protocol Number: BitwiseCopyable, Comparable, Numeric, Sendable {
  static func sum(_ a: Self, _ b: Self) -> Self
  static func difference(_ a: Self, _ b: Self) -> Self
  static func product(_ a: Self, _ b: Self) -> Self
  /// Integers: rounded toward zero; the dividend when the divisor is zero.
  static func quotient(_ a: Self, _ b: Self) -> Self
  /// The remainder with the sign of the dividend.
  static func remainder(_ a: Self, _ b: Self) -> Self
  /// The remainder with the sign of the divisor.
  static func modulus(_ a: Self, _ b: Self) -> Self
  static func power(_ a: Self, _ b: Self) -> Self
  /// The smaller number; NaN if one of them is.
  static func lesser(_ a: Self, _ b: Self) -> Self
  /// The larger number; NaN if one of them is.
  static func greater(_ a: Self, _ b: Self) -> Self
  static func absolute(_ a: Self) -> Self
  static func negated(_ a: Self) -> Self
  /// No number is below: minus infinity or the smallest integer.
  static var lowest: Self { get }
  /// No number is above: infinity or the largest integer.
  static var highest: Self { get }
  /// The nearest number; integers truncate and clamp.
  init(converting value: Double)
  var asDouble: Double { get }
}

extension Number where Self: FixedWidthInteger {
  @inline(__always) static func sum(_ a: Self, _ b: Self) -> Self { a &+ b }
  @inline(__always) static func difference(_ a: Self, _ b: Self) -> Self { a &- b }
  @inline(__always) static func product(_ a: Self, _ b: Self) -> Self { a &* b }
  @inline(__always) static func quotient(_ a: Self, _ b: Self) -> Self {
    a.dividedReportingOverflow(by: b).partialValue
  }
  @inline(__always) static func remainder(_ a: Self, _ b: Self) -> Self {
    b == 0 ? a : a.remainderReportingOverflow(dividingBy: b).partialValue
  }
  @inline(__always) static func modulus(_ a: Self, _ b: Self) -> Self {
    let rest = remainder(a, b)
    return rest != 0 && (rest < 0) != (b < 0) ? rest &+ b : rest
  }
  static func power(_ a: Self, _ b: Self) -> Self {
    if b < 0 { return Self(converting: Foundation.pow(a.asDouble, b.asDouble)) }
    var (result, base, exponent) = (1 as Self, a, b)
    while exponent != 0 {
      if exponent & 1 != 0 { result = result &* base }
      base = base &* base
      exponent >>= 1
    }
    return result
  }
  @inline(__always) static func lesser(_ a: Self, _ b: Self) -> Self { a < b ? a : b }
  @inline(__always) static func greater(_ a: Self, _ b: Self) -> Self { a > b ? a : b }
  @inline(__always) static func absolute(_ a: Self) -> Self { a < 0 ? 0 &- a : a }
  @inline(__always) static func negated(_ a: Self) -> Self { 0 &- a }
  static var lowest: Self { .min }
  static var highest: Self { .max }
  init(converting value: Double) {
    if value.isNaN {
      self = 0
    } else if value <= Double(Self.min) {
      self = .min
    } else if value >= Double(Self.max) {
      self = .max
    } else {
      self = Self(value)
    }
  }
  var asDouble: Double { Double(self) }
}

extension Int64: Number {}
extension Int32: Number {}
extension Int16: Number {}
extension Int8: Number {}
extension UInt64: Number {}
extension UInt32: Number {}
extension UInt16: Number {}
extension UInt8: Number {}

/// `Float` or `Double`, with the functions that kernels need.
protocol Real: Number, BinaryFloatingPoint {
  static var element: ElementType { get }
  static func exp(_ x: Self) -> Self
  static func expMinusOne(_ x: Self) -> Self
  static func log(_ x: Self) -> Self
  static func logOnePlus(_ x: Self) -> Self
  static func sin(_ x: Self) -> Self
  static func cos(_ x: Self) -> Self
  static func tan(_ x: Self) -> Self
  static func asin(_ x: Self) -> Self
  static func acos(_ x: Self) -> Self
  static func atan(_ x: Self) -> Self
  static func sinh(_ x: Self) -> Self
  static func cosh(_ x: Self) -> Self
  static func tanh(_ x: Self) -> Self
  static func asinh(_ x: Self) -> Self
  static func acosh(_ x: Self) -> Self
  static func atanh(_ x: Self) -> Self
  static func erf(_ x: Self) -> Self
}

extension Number where Self: Real {
  @inline(__always) static func sum(_ a: Self, _ b: Self) -> Self { a + b }
  @inline(__always) static func difference(_ a: Self, _ b: Self) -> Self { a - b }
  @inline(__always) static func product(_ a: Self, _ b: Self) -> Self { a * b }
  @inline(__always) static func quotient(_ a: Self, _ b: Self) -> Self { a / b }
  static func remainder(_ a: Self, _ b: Self) -> Self { a.truncatingRemainder(dividingBy: b) }
  static func modulus(_ a: Self, _ b: Self) -> Self {
    let rest = remainder(a, b)
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest
  }
  @inline(__always) static func lesser(_ a: Self, _ b: Self) -> Self { a < b || a != a ? a : b }
  @inline(__always) static func greater(_ a: Self, _ b: Self) -> Self { a > b || a != a ? a : b }
  @inline(__always) static func absolute(_ a: Self) -> Self { a.magnitude }
  @inline(__always) static func negated(_ a: Self) -> Self { -a }
  static var lowest: Self { -.infinity }
  static var highest: Self { .infinity }
  @inline(__always) init(converting value: Double) { self = Self(value) }
  @inline(__always) var asDouble: Double { Double(self) }
}

extension Float: Real {
  static var element: ElementType { .f32 }
  static func power(_ a: Float, _ b: Float) -> Float { Foundation.pow(a, b) }
  static func exp(_ x: Float) -> Float { Foundation.exp(x) }
  static func expMinusOne(_ x: Float) -> Float { Foundation.expm1(x) }
  static func log(_ x: Float) -> Float { Foundation.log(x) }
  static func logOnePlus(_ x: Float) -> Float { Foundation.log1p(x) }
  static func sin(_ x: Float) -> Float { Foundation.sin(x) }
  static func cos(_ x: Float) -> Float { Foundation.cos(x) }
  static func tan(_ x: Float) -> Float { Foundation.tan(x) }
  static func asin(_ x: Float) -> Float { Foundation.asin(x) }
  static func acos(_ x: Float) -> Float { Foundation.acos(x) }
  static func atan(_ x: Float) -> Float { Foundation.atan(x) }
  static func sinh(_ x: Float) -> Float { Foundation.sinh(x) }
  static func cosh(_ x: Float) -> Float { Foundation.cosh(x) }
  static func tanh(_ x: Float) -> Float { Foundation.tanh(x) }
  static func asinh(_ x: Float) -> Float { Foundation.asinh(x) }
  static func acosh(_ x: Float) -> Float { Foundation.acosh(x) }
  static func atanh(_ x: Float) -> Float { Foundation.atanh(x) }
  static func erf(_ x: Float) -> Float { Foundation.erf(x) }
}

extension Double: Real {
  static var element: ElementType { .f64 }
  static func power(_ a: Double, _ b: Double) -> Double { Foundation.pow(a, b) }
  static func exp(_ x: Double) -> Double { Foundation.exp(x) }
  static func expMinusOne(_ x: Double) -> Double { Foundation.expm1(x) }
  static func log(_ x: Double) -> Double { Foundation.log(x) }
  static func logOnePlus(_ x: Double) -> Double { Foundation.log1p(x) }
  static func sin(_ x: Double) -> Double { Foundation.sin(x) }
  static func cos(_ x: Double) -> Double { Foundation.cos(x) }
  static func tan(_ x: Double) -> Double { Foundation.tan(x) }
  static func asin(_ x: Double) -> Double { Foundation.asin(x) }
  static func acos(_ x: Double) -> Double { Foundation.acos(x) }
  static func atan(_ x: Double) -> Double { Foundation.atan(x) }
  static func sinh(_ x: Double) -> Double { Foundation.sinh(x) }
  static func cosh(_ x: Double) -> Double { Foundation.cosh(x) }
  static func tanh(_ x: Double) -> Double { Foundation.tanh(x) }
  static func asinh(_ x: Double) -> Double { Foundation.asinh(x) }
  static func acosh(_ x: Double) -> Double { Foundation.acosh(x) }
  static func atanh(_ x: Double) -> Double { Foundation.atanh(x) }
  static func erf(_ x: Double) -> Double { Foundation.erf(x) }
}
