import CKernels
import Tensors

/// Products of rows of activations with some rows of a matrix, in memory in any order.
///
/// Each has the bits that ``WeightProduct`` gives it for up to ``LinearProduct/blockRows`` rows.
public struct ListedRows {
  let weights: WeightMatrix
  /// By row of the matrix.
  let bias: UnsafePointer<Float>?

  public init(_ weights: WeightMatrix, bias: UnsafePointer<Float>? = nil) {
    (self.weights, self.bias) = (weights, bias)
  }

  /// `y[i] = x[row] . weights[list[i]] + bias[list[i]]`
  public func multiply(
    _ x: Activations, row: Int, _ list: UnsafePointer<Int32>, _ count: Int, _ y: UnsafeMutablePointer<Float>
  ) {
    if let quantized = x.quantized, weights.format.quantizesActivations {
      var call = ck_linear_blocks(
        rows: 1, inner: weights.columns, n0: 0, n1: count, x: quantized + row * x.quantizedStride,
        w: weights.base, low: weights.low, bias: bias, y: y, x_stride: x.quantizedStride,
        w_stride: weights.stride, y_stride: count, list: list)
      return VectorMath.best.linearBlocks(weights.format)(&call)
    }
    let x = x.x + row * x.stride
    for index in 0..<count {
      if index + 1 < count {
        ck_prefetch(weights.base + Int(list[index + 1]) * weights.rowBytes, weights.rowBytes)
      }
      multiply(x, Int(list[index]), y + index)
    }
  }

  /// `y[s, i] = x[s] . weights[list[i]] + bias[list[i]]` for all rows of x, at most
  /// ``LinearProduct/blockRows``, and places `range` of a list. Neighbours that lie one behind the other in the list
  /// are read once for all rows.
  func multiply(
    _ x: Activations, _ list: UnsafePointer<Int32>, _ range: Range<Int>, _ y: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    if x.rows == 1 { return multiply(x, row: 0, list + range.lowerBound, range.count, y + range.lowerBound) }
    var first = range.lowerBound
    while first < range.upperBound {
      var end = first + 1
      while end < range.upperBound, list[end] == list[end - 1] + 1 { end += 1 }
      let n = Int(list[first])
      multiply(x, n..<n + end - first, y + first - n, stride: stride)
      first = end
    }
  }

  /// `y[s, n] = x[s] . weights[n] + bias[n]` for neighbours n.
  private func multiply(
    _ x: Activations, _ columns: Range<Int>, _ y: UnsafeMutablePointer<Float>, stride: Int
  ) {
    switch weights.format {
    case .f32:
      var call = ck_linear_f32(
        rows: x.rows, inner: x.inner, n0: columns.lowerBound, n1: columns.upperBound, x: x.x,
        w: weights.base.assumingMemoryBound(to: Float.self), bias: bias, y: y, x_stride: x.stride,
        w_stride: x.inner, y_stride: stride)
      VectorMath.best.linear(&call)
    case .bf16:
      var call = ck_linear_bf16(
        rows: x.rows, inner: x.inner, n0: columns.lowerBound, n1: columns.upperBound, x: x.x,
        w: weights.base.assumingMemoryBound(to: UInt16.self), bias: bias, y: y, x_stride: x.stride,
        w_stride: weights.rowBytes / 2, y_stride: stride)
      VectorMath.best.linearBF16(&call)
    case .q4b32, .q5b32, .q6b16, .q8b32, .q8n32, .q4n32:
      var call = ck_linear_blocks(
        rows: x.rows, inner: x.inner, n0: columns.lowerBound, n1: columns.upperBound, x: x.quantized!,
        w: weights.base, low: weights.low, bias: bias, y: y, x_stride: x.quantizedStride,
        w_stride: weights.stride, y_stride: stride, list: nil)
      VectorMath.best.linearBlocks(weights.format)(&call)
    }
  }

  /// The product with row n, in f32 or bf16.
  private func multiply(_ x: UnsafePointer<Float>, _ n: Int, _ y: UnsafeMutablePointer<Float>) {
    if weights.format == .f32 {
      var call = ck_linear_f32(
        rows: 1, inner: weights.columns, n0: n, n1: n + 1, x: x,
        w: weights.base.assumingMemoryBound(to: Float.self), bias: bias, y: y - n, x_stride: weights.columns,
        w_stride: weights.columns, y_stride: 1)
      VectorMath.best.linear(&call)
    } else {
      var call = ck_linear_bf16(
        rows: 1, inner: weights.columns, n0: n, n1: n + 1, x: x,
        w: weights.base.assumingMemoryBound(to: UInt16.self), bias: bias, y: y - n,
        x_stride: weights.columns, w_stride: weights.rowBytes / 2, y_stride: 1)
      VectorMath.best.linearBF16(&call)
    }
  }
}
