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
/// Each element of `c` is accumulated in an order that depends on `k` and on the layout of `b` only, so a row
/// of the product does not depend on the rows that are computed with it.
enum MatrixProduct {
  /// The product in the fastest way for the type; `c` has unit column stride and overlaps no operand.
  static func run<T: Number>(
    _ m: Int, _ n: Int, _ k: Int, _ a: MatrixOperand<T>, _ b: MatrixOperand<T>, _ c: UnsafeMutablePointer<T>,
    rowStride: Int
  ) {
    if let a = a as? MatrixOperand<Float>, let b = b as? MatrixOperand<Float> {
      f32(m, n, k, a, b, UnsafeMutableRawPointer(c).assumingMemoryBound(to: Float.self), rowStride: rowStride)
    } else {
      general(m, n, k, a, b, c, rowStride: rowStride)
    }
  }

  /// The product of f32 matrices; `c` has unit column stride and does not overlap the operands.
  ///
  /// `b` is read in place when its rows (`columnStride` 1) or its columns (`rowStride` 1) are dense.
  static func f32(
    _ m: Int, _ n: Int, _ k: Int, _ a: MatrixOperand<Float>, _ b: MatrixOperand<Float>,
    _ c: UnsafeMutablePointer<Float>, rowStride: Int
  ) {
    if b.columnStride == 1 {
      var row = 0
      while row < m {
        let count = min(4, m - row)
        let strip = MatrixOperand(
          a.base + row * a.rowStride, rowStride: a.rowStride, columnStride: a.columnStride)
        if count == 4 {
          rowStrip(n, k, strip, b, c + row * rowStride, rowStride)
        } else {
          for index in 0..<count {
            let single = MatrixOperand(
              strip.base + index * a.rowStride, rowStride: 0, columnStride: a.columnStride)
            singleRow(n, k, single, b, c + (row + index) * rowStride)
          }
        }
        row += count
      }
    } else if b.rowStride == 1, a.columnStride == 1 {
      for row in 0..<m {
        for column in 0..<n {
          c[row * rowStride + column] = dot(a.base + row * a.rowStride, b.base + column * b.columnStride, k)
        }
      }
    } else {
      general(m, n, k, a, b, c, rowStride: rowStride)
    }
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

  // MARK: Tiles

  /// Four rows of the product with dense rows of `b`: tiles of 4 x 8 accumulate over the whole depth.
  private static func rowStrip(
    _ n: Int, _ k: Int, _ a: MatrixOperand<Float>, _ b: MatrixOperand<Float>,
    _ c: UnsafeMutablePointer<Float>,
    _ rowStride: Int
  ) {
    var column = 0
    while column &+ 8 <= n {
      var (sum0, sum1, sum2, sum3) = (SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>())
      var (from, factors) = (b.base + column, a.base)
      for _ in 0..<k {
        let values = UnsafeRawPointer(from).loadUnaligned(as: SIMD8<Float>.self)
        sum0 += factors[0] * values
        sum1 += factors[a.rowStride] * values
        sum2 += factors[2 &* a.rowStride] * values
        sum3 += factors[3 &* a.rowStride] * values
        from += b.rowStride
        factors += a.columnStride
      }
      let target = UnsafeMutableRawPointer(c + column)
      target.storeBytes(of: sum0, as: SIMD8<Float>.self)
      target.storeBytes(of: sum1, toByteOffset: 4 &* rowStride, as: SIMD8<Float>.self)
      target.storeBytes(of: sum2, toByteOffset: 8 &* rowStride, as: SIMD8<Float>.self)
      target.storeBytes(of: sum3, toByteOffset: 12 &* rowStride, as: SIMD8<Float>.self)
      column &+= 8
    }
    for row in 0..<4 {
      for rest in column..<max(n, column) {
        c[row &* rowStride &+ rest] = scalar(
          k, a.base + row &* a.rowStride, a.columnStride, b.base + rest, b.rowStride)
      }
    }
  }

  /// One row of the product with dense rows of `b`: `b` is read once, in order.
  private static func singleRow(
    _ n: Int, _ k: Int, _ a: MatrixOperand<Float>, _ b: MatrixOperand<Float>, _ c: UnsafeMutablePointer<Float>
  ) {
    c.update(repeating: 0, count: n)
    for depth in 0..<k {
      let factor = a.base[depth &* a.columnStride]
      let from = b.base + depth &* b.rowStride
      for column in 0..<n { c[column] += factor * from[column] }
    }
  }

  private static func scalar(
    _ k: Int, _ a: UnsafePointer<Float>, _ aStride: Int, _ b: UnsafePointer<Float>, _ bStride: Int
  ) -> Float {
    var sum: Float = 0
    for depth in 0..<k { sum += a[depth &* aStride] * b[depth &* bStride] }
    return sum
  }

  /// The product of two dense vectors in 16 lanes.
  private static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
    var (low, high) = (SIMD8<Float>(), SIMD8<Float>())
    var index = 0
    while index &+ 16 <= count {
      let (x, y) = (UnsafeRawPointer(a + index), UnsafeRawPointer(b + index))
      low += x.loadUnaligned(as: SIMD8<Float>.self) * y.loadUnaligned(as: SIMD8<Float>.self)
      high +=
        x.loadUnaligned(fromByteOffset: 32, as: SIMD8<Float>.self)
        * y.loadUnaligned(fromByteOffset: 32, as: SIMD8<Float>.self)
      index &+= 16
    }
    let sum = (low + high).sum()
    return sum + scalar(count - index, a + index, 1, b + index, 1)
  }
}
