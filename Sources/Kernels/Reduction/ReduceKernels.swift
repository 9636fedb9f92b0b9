import Tensors

/// A function of a row of numbers.
protocol Reduction: Sendable {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T
}

/// Reduces the axes of the second operand.
///
/// All axes are reduced when it is absent or empty, none when `isNoOp` then. Integers wrap.
struct ReduceKernel<Function: Reduction>: NumberKernel {
  let keepsAxes: Bool
  let isNoOp: Bool
  let acceptsBool: Bool

  init(_ attributes: Attributes, acceptsBool: Bool) {
    keepsAxes = attributes.bool("keepdims", default: true)
    isNoOp = attributes.bool("noop_with_empty_axes", default: false)
    self.acceptsBool = acceptsBool
  }

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    let axes = try self.axes(call, rank: x.rank)
    var shape = Extents()
    for axis in 0..<x.rank {
      if !axes.contains(axis) { shape.append(x.shape[axis]) } else if keepsAxes { shape.append(1) }
    }
    let y = call.allocate(0, x.element, shape).pointer(T.self)
    let rows = RowView(x, axes: axes, call)
    for index in 0..<rows.count { y[index] = Function.reduce(rows.row(index, T.self), rows.length) }
  }

  private func axes(_ call: KernelCall, rank: Int) throws(KernelError) -> [Int] {
    let given = call.has(1) ? try call.integers(1) : []
    if given.isEmpty { return isNoOp ? [] : Array(0..<rank) }
    var axes: Set<Int> = []
    for axis in given { axes.insert(try KernelCall.axis(axis, rank: rank)) }
    return axes.filter { $0 < rank }.sorted()
  }
}

extension KernelEntry {
  fileprivate static func reduce<R: Reduction>(_ name: String, _ reduction: R.Type, acceptsBool: Bool = false)
    -> KernelEntry
  {
    KernelEntry(name, widensNarrowFloats: true) { ReduceKernel<R>($0, acceptsBool: acceptsBool) }
  }
}

enum ReductionKernels {
  static let entries: [KernelEntry] = [
    .reduce("reduce_sum", RowSum.self),
    .reduce("reduce_mean", RowMean.self),
    .reduce("reduce_max", RowMaximum.self, acceptsBool: true),
    .reduce("reduce_min", RowMinimum.self, acceptsBool: true),
    .reduce("reduce_prod", RowProduct.self),
    .reduce("reduce_l1", RowL1.self),
    .reduce("reduce_l2", RowL2.self),
    .reduce("reduce_log_sum", RowLogSum.self),
    .reduce("reduce_log_sum_exp", RowLogSumExp.self),
    .reduce("reduce_sum_square", RowSumOfSquares.self),
    KernelEntry("arg_max", widensNarrowFloats: true) { ArgKernel($0, isMaximum: true) },
    KernelEntry("arg_min", widensNarrowFloats: true) { ArgKernel($0, isMaximum: false) },
    KernelEntry("cum_sum", widensNarrowFloats: true) { CumulativeKernel<Sum>($0, neutral: 0) },
    KernelEntry("cum_prod", widensNarrowFloats: true) { CumulativeKernel<Product>($0, neutral: 1) },
    KernelEntry("softmax", widensNarrowFloats: true) { SoftmaxKernel($0, isLogarithm: false) },
    KernelEntry("log_softmax", widensNarrowFloats: true) { SoftmaxKernel($0, isLogarithm: true) },
    KernelEntry("hardmax", widensNarrowFloats: true) { HardmaxKernel($0) },
    KernelEntry("lp_normalization", widensNarrowFloats: true) { attributes throws(KernelError) in
      try LpNormalizationKernel(attributes)
    },
  ]
}

enum RowSum: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T { RowFold.sum(row, count) }
}

/// The sum divided by the count; integers are rounded toward zero.
enum RowMean: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    T.quotient(RowFold.sum(row, count), T(converting: Double(count)))
  }
}

enum RowMaximum: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T { RowFold.maximum(row, count) }
}

enum RowMinimum: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T { RowFold.minimum(row, count) }
}

enum RowProduct: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    RowFold.fold(row, count, 1, { $0 }, T.product)
  }
}

enum RowL1: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    RowFold.fold(row, count, 0, T.absolute, T.sum)
  }
}

enum RowL2: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    T(converting: RowFold.sumOfSquares(row, count).asDouble.squareRoot())
  }
}

enum RowLogSum: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    T(converting: Double.log(RowFold.sum(row, count).asDouble))
  }
}

/// `max + log(sum(exp(x - max)))`
enum RowLogSumExp: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    if count == 0 { return T(converting: -.infinity) }
    let top = RowFold.maximum(row, count).asDouble
    if !top.isFinite { return T(converting: top) }
    var sum = 0.0
    for index in 0..<count { sum += Double.exp(row[index].asDouble - top) }
    return T(converting: top + Double.log(sum))
  }
}

enum RowSumOfSquares: Reduction {
  static func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    RowFold.sumOfSquares(row, count)
  }
}
