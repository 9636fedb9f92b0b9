import CKernels
import Foundation

/// A number type that attention computes in, with the inner steps of a tile of queries.
///
/// Every query is computed as if it were alone.
protocol AttentionScalar: Real, AttentionEntry where Scalar == Self {
  /// `x = softcap * tanh(x / softcap)`
  static func cap(_ x: UnsafeMutablePointer<Self>, _ count: Int, softcap: Self)

  /// Softmax in place over `range`; all zeros when every score is minus infinity.
  static func normalize(_ scores: UnsafeMutablePointer<Self>, _ range: Range<Int>)
}

/// A number type of keys and values, with the inner steps that read them.
protocol AttentionEntry: BitwiseCopyable {
  /// What attention over them computes in.
  associatedtype Scalar: AttentionScalar

  /// `scores[i, j] = queries[i] . keys[j]` for j in `range`.
  static func score(
    _ queries: StridedRows<Scalar>, _ count: Int, size: Int, _ keys: StridedRows<Self>, _ range: Range<Int>,
    _ scores: StridedRows<Scalar>)

  /// `result[i] = sum of weights[i, j] * values[j]` for j in `range`, in order.
  ///
  /// - Parameter adds: the sum goes on from what `result` holds.
  static func sum(
    _ weights: StridedRows<Scalar>, _ count: Int, _ values: StridedRows<Self>, _ range: Range<Int>,
    _ result: StridedRows<Scalar>, columns: Int, adds: Bool)
}

/// Rows of dense numbers, `stride` elements apart.
struct StridedRows<T> {
  var base: UnsafeMutablePointer<T>
  var stride: Int

  @inline(__always) subscript(row: Int) -> UnsafeMutablePointer<T> { base + row &* stride }

  /// The same rows from a column on.
  @inline(__always) func from(column: Int) -> StridedRows {
    StridedRows(base: base + column, stride: stride)
  }

  /// The rows from one on.
  @inline(__always) func from(row: Int) -> StridedRows { StridedRows(base: self[row], stride: stride) }
}

extension Float: AttentionScalar {
  typealias Scalar = Float

  static func score(
    _ queries: StridedRows<Float>, _ count: Int, size: Int, _ keys: StridedRows<Float>, _ range: Range<Int>,
    _ scores: StridedRows<Float>
  ) {
    var call = ck_linear_f32(
      rows: count, inner: size, n0: range.lowerBound, n1: range.upperBound, x: queries.base, w: keys.base,
      bias: nil, y: scores.base, x_stride: queries.stride, w_stride: keys.stride, y_stride: scores.stride)
    VectorMath.best.linear(&call)
  }

  static func cap(_ x: UnsafeMutablePointer<Float>, _ count: Int, softcap: Float) {
    for index in 0..<count { x[index] /= softcap }
    VectorMath.best.tanh(count, x, x)
    VectorMath.best.scale(count, x, softcap, x)
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
    _ weights: StridedRows<Float>, _ count: Int, _ values: StridedRows<Float>, _ range: Range<Int>,
    _ result: StridedRows<Float>, columns: Int, adds: Bool
  ) {
    var call = ck_weighted_sum_f32(
      rows: count, inner: range.count, columns: columns, p: weights.base + range.lowerBound,
      v: values[range.lowerBound], y: result.base, p_stride: weights.stride, v_stride: values.stride,
      y_stride: result.stride, adds: adds)
    VectorMath.best.weightedSum(&call)
  }
}

extension Double: AttentionScalar {
  typealias Scalar = Double

  static func score(
    _ queries: StridedRows<Double>, _ count: Int, size: Int, _ keys: StridedRows<Double>,
    _ range: Range<Int>, _ scores: StridedRows<Double>
  ) {
    for row in 0..<count {
      let (query, scores) = (queries[row], scores[row])
      for index in range {
        let key = keys[index]
        scores[index] = (0..<size).reduce(0) { $0 + query[$1] * key[$1] }
      }
    }
  }

  static func cap(_ x: UnsafeMutablePointer<Double>, _ count: Int, softcap: Double) {
    for index in 0..<count { x[index] = softcap * tanh(x[index] / softcap) }
  }

  static func normalize(_ scores: UnsafeMutablePointer<Double>, _ range: Range<Int>) {
    var maximum = -Double.infinity
    for index in range { maximum = scores[index] > maximum || scores[index].isNaN ? scores[index] : maximum }
    if maximum == -.infinity {
      for index in range { scores[index] = 0 }
      return
    }
    for index in range { scores[index] = exp(scores[index] - maximum) }
    let factor = 1 / range.reduce(0) { $0 + scores[$1] }
    for index in range { scores[index] *= factor }
  }

  static func sum(
    _ weights: StridedRows<Double>, _ count: Int, _ values: StridedRows<Double>, _ range: Range<Int>,
    _ result: StridedRows<Double>, columns: Int, adds: Bool
  ) {
    for row in 0..<count {
      let (weights, result) = (weights[row], result[row])
      if !adds { result.update(repeating: 0, count: columns) }
      for index in range {
        let (weight, value) = (weights[index], values[index])
        for column in 0..<columns { result[column] += weight * value[column] }
      }
    }
  }
}
