import Tensors

/// The determinant of each matrix of a stack, by elimination with partial pivoting.
struct DeterminantKernel: RealKernel {
  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    guard x.rank >= 2, x.shape[x.rank - 1] == x.shape[x.rank - 2] else {
      throw .invalid("found shape \(x.shape.array), accepted are square matrices")
    }
    let n = x.shape[x.rank - 1]
    let y = call.allocate(0, x.element, Extents(x.shape.array.dropLast(2)))
    let rows = RowView(x, axes: [x.rank - 2, x.rank - 1], call)
    for index in 0..<rows.count {
      var matrix = Array(UnsafeBufferPointer(start: rows.row(index, T.self), count: n * n))
      y.pointer(T.self)[index] = Self.determinant(&matrix, n)
    }
  }

  private static func determinant<T: Real>(_ a: inout [T], _ n: Int) -> T {
    var result: T = 1
    for step in 0..<n {
      var pivot = step
      for row in step..<n where a[row * n + step].magnitude > a[pivot * n + step].magnitude { pivot = row }
      if a[pivot * n + step] == 0 { return 0 }
      if pivot != step {
        for column in 0..<n { a.swapAt(pivot * n + column, step * n + column) }
        result = -result
      }
      result *= a[step * n + step]
      for row in (step + 1)..<max(n, step + 1) {
        let factor = a[row * n + step] / a[step * n + step]
        for column in step..<n { a[row * n + column] -= factor * a[step * n + column] }
      }
    }
    return result
  }
}
