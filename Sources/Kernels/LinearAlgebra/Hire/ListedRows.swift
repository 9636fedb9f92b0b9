import CKernels
import Tensors

/// Products of one row of activations with some rows of a matrix, in memory in no order.
///
/// Each has the bits that ``WeightProduct`` gives it for up to ``LinearProduct/blockRows`` rows.
struct ListedRows {
  let weights: WeightMatrix
  /// By row of the matrix.
  let bias: UnsafePointer<Float>?

  init(_ weights: WeightMatrix, bias: UnsafePointer<Float>? = nil) {
    (self.weights, self.bias) = (weights, bias)
  }

  /// `y[i] = x[row] . weights[list[i]] + bias[list[i]]`
  func multiply(
    _ x: Activations, row: Int, _ list: UnsafePointer<Int32>, _ count: Int, _ y: UnsafeMutablePointer<Float>
  ) {
    if let quantized = x.quantized, weights.format.quantizesActivations {
      var call = ck_linear_blocks(
        rows: 1, inner: weights.columns, n0: 0, n1: count, x: quantized + row * x.quantizedStride,
        w: weights.base, bias: bias, y: y, x_stride: x.quantizedStride, w_stride: weights.rowBytes,
        y_stride: count, list: list)
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
