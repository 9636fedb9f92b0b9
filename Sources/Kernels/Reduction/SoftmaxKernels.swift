import Tensors

/// A kernel that maps rows along one axis to rows of the same length.
protocol RowKernel: RealKernel {
  var axis: Int { get }
  func map<T: Real>(_ row: UnsafePointer<T>, _ result: UnsafeMutablePointer<T>, _ count: Int)
}

extension RowKernel {
  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    let axes = x.rank == 0 ? [] : [try KernelCall.axis(axis, rank: x.rank)]
    let rows = RowView(x, axes: axes, call)
    let result = RowResult(call.allocate(0, x.element, x.shape), axes: axes, call)
    for index in 0..<rows.count { map(rows.row(index, T.self), result.row(index, T.self), rows.length) }
    result.store()
  }
}

/// `exp(x - max) / sum(exp(x - max))` along an axis, or its logarithm. A row of minus infinities is NaN.
struct SoftmaxKernel: RowKernel {
  let axis: Int
  let isLogarithm: Bool

  init(_ attributes: Attributes, isLogarithm: Bool) {
    axis = attributes.int("axis", default: -1)
    self.isLogarithm = isLogarithm
  }

  func map<T: Real>(_ row: UnsafePointer<T>, _ result: UnsafeMutablePointer<T>, _ count: Int) {
    if !isLogarithm, let row = row as? UnsafePointer<Float>,
      let result = result as? UnsafeMutablePointer<Float>
    {
      return VectorMath.best.softmax(row, result, count: count)
    }
    let top = RowFold.maximum(row, count)
    for index in 0..<count { result[index] = T.exp(row[index] - top) }
    let sum = RowFold.sum(UnsafePointer(result), count)
    if isLogarithm {
      let shift = T.log(sum)
      for index in 0..<count { result[index] = (row[index] - top) - shift }
    } else {
      for index in 0..<count { result[index] /= sum }
    }
  }
}

/// 1 at the first largest element along an axis, 0 elsewhere.
struct HardmaxKernel: RowKernel {
  let axis: Int

  init(_ attributes: Attributes) { axis = attributes.int("axis", default: -1) }

  func map<T: Real>(_ row: UnsafePointer<T>, _ result: UnsafeMutablePointer<T>, _ count: Int) {
    if count == 0 { return }
    var best = 0
    for index in 1..<count where row[index] > row[best] { best = index }
    for index in 0..<count { result[index] = index == best ? 1 : 0 }
  }
}

/// `x / norm(x)` along an axis with the 1-norm or the 2-norm; a row of zeros stays.
struct LpNormalizationKernel: RowKernel {
  let axis: Int
  let order: Int

  init(_ attributes: Attributes) throws(KernelError) {
    axis = attributes.int("axis", default: -1)
    order = attributes.int("p", default: 2)
    guard order == 1 || order == 2 else { throw .invalid("'p' is \(order), accepted are 1 and 2") }
  }

  func map<T: Real>(_ row: UnsafePointer<T>, _ result: UnsafeMutablePointer<T>, _ count: Int) {
    let norm =
      order == 1
      ? RowFold.fold(row, count, 0, T.absolute, T.sum) : RowFold.sumOfSquares(row, count).squareRoot()
    for index in 0..<count { result[index] = norm == 0 ? 0 : row[index] / norm }
  }
}
