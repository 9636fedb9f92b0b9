import Tensors

/// How a running fold walks: from which end, and whether an element counts toward its own result.
struct CumulativeDirection {
  let isExclusive: Bool
  let isReversed: Bool

  init(_ attributes: Attributes) {
    isExclusive = attributes.bool("exclusive", default: false)
    isReversed = attributes.bool("reverse", default: false)
  }
}

/// A kernel of running sums or products along the axis that the second operand names.
///
///     y[i] = x[0] + ... + x[i]         y[i] = x[0] + ... + x[i - 1] when exclusive
///
/// Reversed, the elements are taken from the end.
protocol CumulativeKernel: NumberKernel {
  var direction: CumulativeDirection { get }
  func combine<T: Number>(_ a: T, _ b: T) -> T
  func neutral<T: Number>(_ type: T.Type) -> T
}

extension CumulativeKernel {
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    guard let given = try call.integers(1).first else {
      throw .invalid("'axis' is empty, one integer is needed")
    }
    let axes = x.rank == 0 ? [] : [try KernelCall.axis(given, rank: x.rank)]
    let rows = RowView(x, axes: axes, call)
    let result = RowResult(call.allocate(0, x.element, x.shape), axes: axes, call)
    for index in 0..<rows.count {
      let (from, to) = (rows.row(index, T.self), result.row(index, T.self))
      var running = neutral(type)
      for step in 0..<rows.length {
        let position = direction.isReversed ? rows.length &- 1 &- step : step
        let next = combine(running, from[position])
        to[position] = direction.isExclusive ? running : next
        running = next
      }
    }
    result.store()
  }
}

struct CumulativeSum: CumulativeKernel {
  let direction: CumulativeDirection

  func combine<T: Number>(_ a: T, _ b: T) -> T { T.sum(a, b) }
  func neutral<T: Number>(_ type: T.Type) -> T { 0 }
}

struct CumulativeProduct: CumulativeKernel {
  let direction: CumulativeDirection

  func combine<T: Number>(_ a: T, _ b: T) -> T { T.product(a, b) }
  func neutral<T: Number>(_ type: T.Type) -> T { 1 }
}
