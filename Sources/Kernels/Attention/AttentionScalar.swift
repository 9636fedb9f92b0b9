import CKernels
import Foundation

/// A number type that attention computes in, with the three inner steps of a row.
protocol AttentionScalar: BinaryFloatingPoint, SIMDScalar, Codable, BitwiseCopyable, Sendable {
  static func exponential(_ x: Self) -> Self
  static func hyperbolicTangent(_ x: Self) -> Self

  /// `scores[j] = query . keys[j]` for j in `range`; keys lie `stride` elements apart.
  static func score(
    _ query: UnsafePointer<Self>, _ size: Int, _ keys: UnsafePointer<Self>, stride: Int, _ range: Range<Int>,
    _ scores: UnsafeMutablePointer<Self>)

  /// Softmax in place over `range`; all zeros when every score is minus infinity.
  static func normalize(_ scores: UnsafeMutablePointer<Self>, _ range: Range<Int>)

  /// `result = sum of weights[j] * values[j]` for j in `range`, in order; values lie `stride` elements apart.
  static func sum(
    _ weights: UnsafePointer<Self>, _ values: UnsafePointer<Self>, stride: Int, _ range: Range<Int>,
    _ result: UnsafeMutablePointer<Self>, _ size: Int)
}

extension Float: AttentionScalar {
  static func exponential(_ x: Float) -> Float { Foundation.exp(x) }
  static func hyperbolicTangent(_ x: Float) -> Float { Foundation.tanh(x) }

  static func score(
    _ query: UnsafePointer<Float>, _ size: Int, _ keys: UnsafePointer<Float>, stride: Int,
    _ range: Range<Int>,
    _ scores: UnsafeMutablePointer<Float>
  ) {
    var call = ck_linear_f32(
      rows: 1, inner: size, n0: range.lowerBound, n1: range.upperBound, x: query, w: keys, bias: nil,
      y: scores,
      x_stride: size, w_stride: stride, y_stride: 0)
    VectorMath.best.linear(&call)
  }

  static func normalize(_ scores: UnsafeMutablePointer<Float>, _ range: Range<Int>) {
    let (row, count) = (scores + range.lowerBound, range.count)
    let maximum = VectorMath.best.maximum(count, row)
    if maximum == -.infinity, !range.contains(where: { scores[$0].isNaN }) {
      return row.update(repeating: 0, count: count)
    }
    VectorMath.best.scale(count, row, 1 / VectorMath.best.expSum(count, row, maximum, row), row)
  }

  static func sum(
    _ weights: UnsafePointer<Float>, _ values: UnsafePointer<Float>, stride: Int, _ range: Range<Int>,
    _ result: UnsafeMutablePointer<Float>, _ size: Int
  ) {
    var call = ck_weighted_sum_f32(
      rows: 1, inner: range.count, columns: size, p: weights + range.lowerBound,
      v: values + range.lowerBound * stride,
      y: result, p_stride: 0, v_stride: stride, y_stride: size)
    VectorMath.best.weightedSum(&call)
  }
}

extension Double: AttentionScalar {
  static func exponential(_ x: Double) -> Double { Foundation.exp(x) }
  static func hyperbolicTangent(_ x: Double) -> Double { Foundation.tanh(x) }

  static func score(
    _ query: UnsafePointer<Double>, _ size: Int, _ keys: UnsafePointer<Double>, stride: Int,
    _ range: Range<Int>,
    _ scores: UnsafeMutablePointer<Double>
  ) {
    for index in range {
      let key = keys + index * stride
      scores[index] = (0..<size).reduce(0) { $0 + query[$1] * key[$1] }
    }
  }

  static func normalize(_ scores: UnsafeMutablePointer<Double>, _ range: Range<Int>) {
    var maximum = -Double.infinity
    for index in range { maximum = scores[index] > maximum || scores[index].isNaN ? scores[index] : maximum }
    if maximum == -.infinity {
      for index in range { scores[index] = 0 }
      return
    }
    for index in range { scores[index] = exponential(scores[index] - maximum) }
    let factor = 1 / range.reduce(0) { $0 + scores[$1] }
    for index in range { scores[index] *= factor }
  }

  static func sum(
    _ weights: UnsafePointer<Double>, _ values: UnsafePointer<Double>, stride: Int, _ range: Range<Int>,
    _ result: UnsafeMutablePointer<Double>, _ size: Int
  ) {
    result.update(repeating: 0, count: size)
    for index in range {
      let (weight, value) = (weights[index], values + index * stride)
      for column in 0..<size { result[column] += weight * value[column] }
    }
  }
}
