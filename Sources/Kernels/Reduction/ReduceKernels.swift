import Tensors

/// Which axes a reduction takes and whether they stay, with extent 1.
struct ReductionAxes {
  private let keepsAxes: Bool
  private let isNoOp: Bool

  init(_ attributes: Attributes) {
    keepsAxes = attributes.bool("keepdims", default: true)
    isNoOp = attributes.bool("noop_with_empty_axes", default: false)
  }

  /// The axes that operand 1 names; without any all of them, or none when that is asked for.
  func axes(_ call: KernelCall) throws(KernelError) -> [Int] {
    let rank = call[0].rank
    let given = call.has(1) ? try call.integers(1) : []
    if given.isEmpty { return isNoOp ? [] : Array(0..<rank) }
    var axes: Set<Int> = []
    for axis in given { axes.insert(try KernelCall.axis(axis, rank: rank)) }
    return axes.filter { $0 < rank }.sorted()
  }

  func shape(_ x: Extents, reducing axes: [Int]) -> Extents {
    var shape = Extents()
    for axis in 0..<x.count {
      if !axes.contains(axis) { shape.append(x[axis]) } else if keepsAxes { shape.append(1) }
    }
    return shape
  }
}

/// A kernel that reduces axes of a tensor of numbers. Integers wrap.
protocol ReduceKernel: NumberKernel {
  var axes: ReductionAxes { get }
  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T
}

extension ReduceKernel {
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    let reduced = try axes.axes(call)
    let y = call.allocate(0, x.element, axes.shape(x.shape, reducing: reduced)).pointer(T.self)
    let rows = RowView(x, axes: reduced, call)
    for index in 0..<rows.count { y[index] = reduce(rows.row(index, T.self), rows.length) }
  }
}

enum ReductionKernels {
  static let entries: [KernelEntry] = [
    .widening("reduce_sum") { RowSum(axes: ReductionAxes($0)) },
    .widening("reduce_mean") { RowMean(axes: ReductionAxes($0)) },
    .widening("reduce_max") { RowMaximum(axes: ReductionAxes($0)) },
    .widening("reduce_min") { RowMinimum(axes: ReductionAxes($0)) },
    .widening("reduce_prod") { RowProduct(axes: ReductionAxes($0)) },
    .widening("reduce_l1") { RowL1(axes: ReductionAxes($0)) },
    .widening("reduce_l2") { RowL2(axes: ReductionAxes($0)) },
    .widening("reduce_log_sum") { RowLogSum(axes: ReductionAxes($0)) },
    .widening("reduce_log_sum_exp") { RowLogSumExp(axes: ReductionAxes($0)) },
    .widening("reduce_sum_square") { RowSumOfSquares(axes: ReductionAxes($0)) },
    .widening("arg_max") { ArgKernel($0, isMaximum: true) },
    .widening("arg_min") { ArgKernel($0, isMaximum: false) },
    .widening("cum_sum") { CumulativeSum(direction: CumulativeDirection($0)) },
    .widening("cum_prod") { CumulativeProduct(direction: CumulativeDirection($0)) },
    .widening("softmax") { SoftmaxKernel($0, isLogarithm: false) },
    .widening("log_softmax") { SoftmaxKernel($0, isLogarithm: true) },
    .widening("hardmax") { HardmaxKernel($0) },
    .widening("lp_normalization") { attributes throws(KernelError) in
      try LpNormalizationKernel(attributes)
    },
  ]
}

struct RowSum: ReduceKernel {
  let axes: ReductionAxes

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T { RowFold.sum(row, count) }
}

/// The sum divided by the count; integers are rounded toward zero.
struct RowMean: ReduceKernel {
  let axes: ReductionAxes

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    T.quotient(RowFold.sum(row, count), T(converting: Double(count)))
  }
}

struct RowMaximum: ReduceKernel {
  let axes: ReductionAxes
  var acceptsBool: Bool { true }

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T { RowFold.maximum(row, count) }
}

struct RowMinimum: ReduceKernel {
  let axes: ReductionAxes
  var acceptsBool: Bool { true }

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T { RowFold.minimum(row, count) }
}

struct RowProduct: ReduceKernel {
  let axes: ReductionAxes

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    RowFold.fold(row, count, 1, { $0 }, T.product)
  }
}

struct RowL1: ReduceKernel {
  let axes: ReductionAxes

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    RowFold.fold(row, count, 0, T.absolute, T.sum)
  }
}

struct RowL2: ReduceKernel {
  let axes: ReductionAxes

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    T(converting: RowFold.sumOfSquares(row, count).asDouble.squareRoot())
  }
}

struct RowLogSum: ReduceKernel {
  let axes: ReductionAxes

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    T(converting: Double.log(RowFold.sum(row, count).asDouble))
  }
}

/// `max + log(sum(exp(x - max)))`
struct RowLogSumExp: ReduceKernel {
  let axes: ReductionAxes

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    if count == 0 { return T(converting: -.infinity) }
    let top = RowFold.maximum(row, count).asDouble
    if !top.isFinite { return T(converting: top) }
    var sum = 0.0
    for index in 0..<count { sum += Double.exp(row[index].asDouble - top) }
    return T(converting: top + Double.log(sum))
  }
}

struct RowSumOfSquares: ReduceKernel {
  let axes: ReductionAxes

  func reduce<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> T {
    RowFold.sumOfSquares(row, count)
  }
}
