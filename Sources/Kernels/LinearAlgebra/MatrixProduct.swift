/// A matrix in memory: element `[i, j]` is at `base[i * rowStride + j * columnStride]`.
struct MatrixOperand<T: BitwiseCopyable> {
  var base: UnsafePointer<T>
  var rowStride: Int
  var columnStride: Int

  init(_ base: UnsafePointer<T>, rowStride: Int, columnStride: Int = 1) {
    self.base = base
    self.rowStride = rowStride
    self.columnStride = columnStride
  }
}

/// `c[m, n] = a[m, k] b[k, n]`
///
/// In f32, up to 16 rows are computed one like the other, whatever their number (see ``LinearProduct``);
/// taller products go to OpenBLAS. Nothing depends on the number of threads.
enum MatrixProduct {
  /// The product in the fastest way for the type; `c` has unit column stride and overlaps no operand.
  static func run<T: Number>(
    _ m: Int, _ n: Int, _ k: Int, _ a: MatrixOperand<T>, _ b: MatrixOperand<T>, _ c: UnsafeMutablePointer<T>,
    rowStride: Int, _ pool: ThreadPool
  ) {
    if let a = a as? MatrixOperand<Float>, let b = b as? MatrixOperand<Float> {
      f32(
        m, n, k, a, b, UnsafeMutableRawPointer(c).assumingMemoryBound(to: Float.self), rowStride: rowStride,
        pool)
    } else {
      general(m, n, k, a, b, c, rowStride: rowStride)
    }
  }

  /// The product of f32 matrices; `c` has unit column stride and does not overlap the operands.
  ///
  /// Fast when the rows of `a` and either the rows or the columns of `b` are dense.
  static func f32(
    _ m: Int, _ n: Int, _ k: Int, _ a: MatrixOperand<Float>, _ b: MatrixOperand<Float>,
    _ c: UnsafeMutablePointer<Float>, rowStride: Int, _ pool: ThreadPool
  ) {
    guard a.columnStride == 1 || k <= 1, b.columnStride == 1 || b.rowStride == 1 else {
      return general(m, n, k, a, b, c, rowStride: rowStride)
    }
    var product = LinearProduct(
      rows: m, inner: k, columns: n, x: a.base, w: b.base, y: c, isTransposed: b.rowStride != 1)
    product.xStride = a.rowStride
    product.wStride = product.isTransposed ? b.rowStride : b.columnStride
    product.yStride = rowStride
    product.run(pool)
  }

  /// The product of matrices of any number type and any strides; `c` has unit column stride.
  static func general<T: Number>(
    _ m: Int, _ n: Int, _ k: Int, _ a: MatrixOperand<T>, _ b: MatrixOperand<T>, _ c: UnsafeMutablePointer<T>,
    rowStride: Int
  ) {
    for row in 0..<m {
      let target = c + row &* rowStride
      target.update(repeating: 0, count: n)
      for depth in 0..<k {
        let factor = a.base[row &* a.rowStride &+ depth &* a.columnStride]
        let source = b.base + depth &* b.rowStride
        if b.columnStride == 1 {
          for column in 0..<n { target[column] = T.sum(target[column], T.product(factor, source[column])) }
        } else {
          for column in 0..<n {
            target[column] = T.sum(target[column], T.product(factor, source[column &* b.columnStride]))
          }
        }
      }
    }
  }
}
