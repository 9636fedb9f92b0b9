/// Normalization of one dense row; `y` may be `x`.
enum RowNorm {
  /// `y = (x - mean) * inverse * scale` with `inverse = 1 / sqrt(variance + epsilon)`
  @inline(__always) @discardableResult
  static func centered<T: Real>(
    _ x: UnsafePointer<T>, _ count: Int, epsilon: Float, _ scale: UnsafePointer<T>,
    _ y: UnsafeMutablePointer<T>
  ) -> (mean: T, inverse: T) {
    let mean = RowFold.sum(x, count) / T(count)
    let squares = RowFold.fold(x, count, 0, { ($0 - mean) * ($0 - mean) }, T.sum)
    let inverse = 1 / (squares / T(count) + T(epsilon)).squareRoot()
    for index in 0..<count { y[index] = (x[index] - mean) * inverse * scale[index] }
    return (mean, inverse)
  }

  /// `y = x * inverse * scale` with `inverse = 1 / sqrt(mean of squares + epsilon)`
  @inline(__always)
  static func uncentered<T: Real>(
    _ x: UnsafePointer<T>, _ count: Int, epsilon: Float, _ scale: UnsafePointer<T>,
    _ y: UnsafeMutablePointer<T>
  ) -> T {
    let squares = RowFold.sumOfSquares(x, count)
    let inverse = 1 / (squares / T(count) + T(epsilon)).squareRoot()
    for index in 0..<count { y[index] = x[index] * inverse * scale[index] }
    return inverse
  }
}
