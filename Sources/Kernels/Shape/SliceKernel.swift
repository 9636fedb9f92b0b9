import Tensors

/// A view of every `step`-th position between `start` and `end` of some axes.
///
/// Operands: data, starts, ends, axes (default: the leading ones), steps (default 1). Negative bounds count
/// from the back; bounds are clamped to the axis, as Python does.
struct SliceKernel: Kernel {
  static let entry = KernelEntry("slice", sharing: .views(of: 0)) { _ in SliceKernel() }

  func run(_ call: KernelCall) throws(KernelError) {
    var y = call[0]
    let (starts, ends) = (try call.integerBuffer(1), try call.integerBuffer(2))
    let axes = call.has(3) ? try call.integerBuffer(3) : nil
    let steps = call.has(4) ? try call.integerBuffer(4) : nil
    guard starts.count == ends.count, axes?.count ?? starts.count == starts.count,
      steps?.count ?? starts.count == starts.count, starts.count <= y.rank
    else {
      throw .invalid("starts, ends, axes and steps must have equal lengths of at most the rank \(y.rank)")
    }
    for index in 0..<starts.count {
      let axis = try y.shape.axis(axes?[index] ?? index)
      let (extent, step) = (y.shape[axis], steps?[index] ?? 1)
      guard step != 0 else { throw .invalid("the step of axis \(axis) is 0") }
      let (start, count) = Self.range(starts[index], ends[index], step, extent)
      y = y.narrowed(axis, from: start, count: count, step: step)
    }
    call.alias(0, y)
  }

  /// The first position and the number of positions after clamping.
  private static func range(_ start: Int, _ end: Int, _ step: Int, _ extent: Int) -> (start: Int, count: Int)
  {
    func clamp(_ bound: Int, _ range: ClosedRange<Int>) -> Int {
      let value = bound < 0 ? bound &+ extent : bound
      return min(max(value, range.lowerBound), range.upperBound)
    }
    if extent == 0 { return (0, 0) }
    if step > 0 {
      let (first, last) = (clamp(start, 0...extent), clamp(end, 0...extent))
      return (first, max(0, (last - first + min(step, extent) - 1) / min(step, extent)))
    }
    let (first, last) = (clamp(start, 0...(extent - 1)), clamp(end, -1...(extent - 1)))
    let stride = step < -extent ? extent : -step
    return (first, max(0, (first - last + stride - 1) / stride))
  }
}
