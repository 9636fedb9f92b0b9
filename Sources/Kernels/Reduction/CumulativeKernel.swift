import Tensors

/// Running sums or products along the axis that the second operand names.
///
///     y[i] = x[0] + ... + x[i]         y[i] = x[0] + ... + x[i - 1] when exclusive
///
/// Reversed, the elements are taken from the end.
struct CumulativeKernel<Operation: NumberOperation>: NumberKernel {
  let isExclusive: Bool
  let isReversed: Bool
  let neutral: Int

  init(_ attributes: Attributes, neutral: Int) {
    isExclusive = attributes.bool("exclusive", default: false)
    isReversed = attributes.bool("reverse", default: false)
    self.neutral = neutral
  }

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    guard let given = try call.integers(1).first else {
      throw .invalid("'axis' is empty, one integer is needed")
    }
    let axes = x.rank == 0 ? [] : [try KernelCall.axis(given, rank: x.rank)]
    let rows = RowView(x, axes: axes, call)
    let result = RowResult(call.allocate(0, x.element, x.shape), axes: axes, call)
    let start = T(converting: Double(neutral))
    for index in 0..<rows.count {
      let (from, to) = (rows.row(index, T.self), result.row(index, T.self))
      var running = start
      for step in 0..<rows.length {
        let position = isReversed ? rows.length &- 1 &- step : step
        let next = Operation.apply(running, from[position])
        to[position] = isExclusive ? running : next
        running = next
      }
    }
    result.store()
  }
}
