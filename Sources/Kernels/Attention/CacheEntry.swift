import CKernels
import Tensors

/// A number type of caches whose attention is computed in f32.
protocol CacheEntry: AttentionEntry where Scalar == Float {
  static var element: ElementType { get }

  /// Writes numbers as the cache keeps them.
  static func write(_ numbers: UnsafePointer<Float>, count: Int, to entries: UnsafeMutablePointer<Self>)
}

extension Float: CacheEntry {
  static func write(_ numbers: UnsafePointer<Float>, count: Int, to entries: UnsafeMutablePointer<Float>) {
    entries.update(from: numbers, count: count)
  }
}

/// Numbers are rounded to nearest, ties to even; what lies beyond ±65504 becomes that.
extension Float16: CacheEntry {
  static var element: ElementType { .f16 }

  static func write(_ numbers: UnsafePointer<Float>, count: Int, to entries: UnsafeMutablePointer<Float16>) {
    VectorMath.best.narrow(
      count, numbers, UnsafeMutableRawPointer(entries).assumingMemoryBound(to: ck_f16.self))
  }

  static func score(
    _ queries: StridedRows<Float>, _ count: Int, size: Int, _ keys: StridedRows<Float16>, _ range: Range<Int>,
    _ scores: StridedRows<Float>
  ) {
    var call = ck_linear_f16(
      rows: count, inner: size, n0: range.lowerBound, n1: range.upperBound, x: queries.base,
      w: UnsafeRawPointer(keys.base).assumingMemoryBound(to: ck_f16.self), bias: nil, y: scores.base,
      x_stride: queries.stride, w_stride: keys.stride, y_stride: scores.stride)
    VectorMath.best.linearF16(&call)
  }

  static func sum(
    _ weights: StridedRows<Float>, _ count: Int, _ values: StridedRows<Float16>, _ range: Range<Int>,
    _ result: StridedRows<Float>, columns: Int, adds: Bool
  ) {
    var call = ck_weighted_sum_f16(
      rows: count, inner: range.count, columns: columns, p: weights.base + range.lowerBound,
      v: UnsafeRawPointer(values[range.lowerBound]).assumingMemoryBound(to: ck_f16.self), y: result.base,
      p_stride: weights.stride, v_stride: values.stride, y_stride: result.stride, adds: adds)
    VectorMath.best.weightedSumF16(&call)
  }
}
