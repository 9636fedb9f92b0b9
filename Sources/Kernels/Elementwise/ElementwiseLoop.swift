import Tensors

/// Applies functions element by element to views of any strides.
enum ElementwiseLoop {
  /// `y[i] = function(x[i])`; the shapes are equal.
  @inline(__always)
  static func map<A: BitwiseCopyable, R: BitwiseCopyable>(
    _ x: TensorView, _ y: TensorView, _ function: (A) -> R
  ) {
    let from: UnsafeMutablePointer<A> = x.pointer()
    let to: UnsafeMutablePointer<R> = y.pointer()
    StridedLoop(y.shape, y.strides, x.strides).forEachRow { row in
      let (r, a) = (to + row.offset0, from + row.offset1)
      if row.stride0 == 1, row.stride1 == 1 {
        for index in 0..<row.count { r[index] = function(a[index]) }
      } else {
        for index in 0..<row.count { r[index &* row.stride0] = function(a[index &* row.stride1]) }
      }
    }
  }

  /// `y[i] = function(a[i], b[i])` with `a` and `b` broadcast to the shape of `y`.
  @inline(__always)
  static func map<A: BitwiseCopyable, B: BitwiseCopyable, R: BitwiseCopyable>(
    _ a: TensorView, _ b: TensorView, _ y: TensorView, _ function: (A, B) -> R
  ) {
    let first: UnsafeMutablePointer<A> = a.pointer()
    let second: UnsafeMutablePointer<B> = b.pointer()
    let to: UnsafeMutablePointer<R> = y.pointer()
    let (aStrides, bStrides) = (
      Broadcasting.strides(of: a, as: y.shape), Broadcasting.strides(of: b, as: y.shape)
    )
    StridedLoop(y.shape, y.strides, aStrides, bStrides).forEachRow { row in
      let (r, p, q) = (to + row.offset0, first + row.offset1, second + row.offset2)
      switch (row.stride0, row.stride1, row.stride2) {
      case (1, 1, 1): for index in 0..<row.count { r[index] = function(p[index], q[index]) }
      case (1, 1, 0):
        let constant = q[0]
        for index in 0..<row.count { r[index] = function(p[index], constant) }
      case (1, 0, 1):
        let constant = p[0]
        for index in 0..<row.count { r[index] = function(constant, q[index]) }
      default:
        for index in 0..<row.count {
          r[index &* row.stride0] = function(p[index &* row.stride1], q[index &* row.stride2])
        }
      }
    }
  }
}
