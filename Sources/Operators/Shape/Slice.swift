import GraphIR
import Tensors

/// Every `step`-th position between `start` and `end` of some axes; bounds are clamped as Python does.
///
/// Symbolic bounds are compared with the axis where the difference has a known sign, otherwise the clamp
/// stays in the dim as `min` and `max`. A symbol stands for an extent: never negative, and not 0 when a bound
/// is -1 or 1.
struct Slice: Operator {
  let schema = OperatorSchema(
    "slice",
    "Every step-th position of start..<end along axes; negative bounds count from the back, all are clamped.",
    operands: ["x", "starts", "ends", "axes?", "steps?"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let count = try call.vectorCount(1)
    let axes = try call.axes(3, rank: x.rank) ?? Array(0..<count)
    let steps = call.has(4) ? call.integers(4) : Array(repeating: 1, count: count)
    guard axes.count == count, count <= x.rank, steps?.count ?? count == count,
      try call.vectorCount(2) == count
    else {
      throw OperatorError("starts, ends, axes and steps must have equal lengths of at most the rank of \(x)")
    }
    let (starts, ends) = (call.content(1), call.content(2))
    var shape = x.shape
    var first = [Dim](repeating: Dim(0), count: x.rank)
    for (index, axis) in axes.enumerated() {
      if steps?[index] == 0 { throw OperatorError("the step of axis \(axis) is 0") }
      if let starts, let ends, let step = steps?[index],
        let range = Self.range(starts[index], ends[index], step, x.shape[axis])
      {
        (first[axis], shape[axis]) = range
      } else {
        shape[axis] = call.unknownDim()
      }
    }
    let result = TensorType(x.element, shape)
    return [ValueFact(result, content: content(call, result, axes, steps, first))]
  }

  private func content(
    _ call: InferenceCall, _ result: TensorType, _ axes: [Int], _ steps: [Int]?, _ first: [Dim]
  ) -> [Dim]? {
    guard let known = KnownContent(call.operands[0]), let extents = result.constantShape, let steps,
      call.content(1) != nil, call.content(2) != nil
    else { return nil }
    let starts = first.compactMap(\.constant)
    guard starts.count == first.count else { return nil }
    var stride = [Int](repeating: 1, count: extents.count)
    for (index, axis) in axes.enumerated() { stride[axis] = steps[index] }
    return known.moved(to: extents) { index in index.indices.map { starts[$0] + index[$0] * stride[$0] } }
  }

  /// First position and number of positions, or nil when the sign of a bound is unknown.
  static func range(_ start: Dim, _ end: Dim, _ step: Int, _ extent: Dim) -> (first: Dim, count: Dim)? {
    if step > 0 {
      guard let first = clamped(start, extent), let last = clamped(end, extent) else { return nil }
      return (first, ceilQuotient(count(from: first, to: last, extent, start: start), step))
    }
    if let begin = start.constant, let end = end.constant, let extent = extent.constant {
      return backwardRange(begin, end, step, extent)
    }
    // The whole axis, backwards.
    guard let begin = start.constant, begin == -1 || begin >= Int(Int32.max), let end = end.constant,
      end <= -Int(Int32.max)
    else { return nil }
    return (extent - 1, ceilQuotient(extent, -step))
  }

  private static func backwardRange(_ start: Int, _ end: Int, _ step: Int, _ extent: Int) -> (Dim, Dim) {
    if extent == 0 { return (Dim(0), Dim(0)) }
    let first = min(max(start < 0 ? start &+ extent : start, 0), extent - 1)
    let last = min(max(end < 0 ? end &+ extent : end, -1), extent - 1)
    let stride = step < -extent ? extent : -step
    return (Dim(first), Dim(max(0, (first - last + stride - 1) / stride)))
  }

  /// A bound of a forward slice brought into `0...extent`.
  private static func clamped(_ bound: Dim, _ extent: Dim) -> Dim? {
    if let value = bound.constant {
      if value >= Int(Int32.max) { return extent }
      if value <= -Int(Int32.max) { return Dim(0) }
      if let extent = extent.constant { return Dim(min(max(value < 0 ? value + extent : value, 0), extent)) }
      if value < 0 {
        let position = extent + value
        return position.isAtLeast(0, symbolsAtLeast: 1) ? position : Dim.maximum(position, 0)
      }
      return extent.isAtLeast(bound, symbolsAtLeast: 1) ? bound : Dim.minimum(bound, extent)
    }
    var position = bound
    if Dim(0).isAtLeast(bound) {
      position = extent + bound
      if !position.isAtLeast(0) { position = Dim.maximum(position, 0) }
    } else if !bound.isAtLeast(0, symbolsAtLeast: 1), bound.hasConstantTerm {
      return nil
    }
    if extent.isAtLeast(position) { return position }
    return position.isAtLeast(extent) ? extent : Dim.minimum(position, extent)
  }

  /// Positions of `first..<last`, both of which lie in `0...extent`.
  private static func count(from first: Dim, to last: Dim, _ extent: Dim, start: Dim) -> Dim {
    if last == extent {
      guard let value = start.constant, value < 0, first.constant == nil else { return extent - first }
      return extent.isAtLeast(Dim(-value), symbolsAtLeast: 1) ? Dim(-value) : Dim.minimum(Dim(-value), extent)
    }
    if first == Dim(0) { return last }
    let count = last - first
    if count.isAtLeast(0, symbolsAtLeast: 1) { return count }
    return Dim(0).isAtLeast(count) ? Dim(0) : Dim.maximum(count, 0)
  }

  private static func ceilQuotient(_ count: Dim, _ step: Int) -> Dim {
    step == 1 ? count : (count + (step - 1)) / Dim(step)
  }
}

extension Dim {
  /// Whether an integer is added to the symbolic part.
  fileprivate var hasConstantTerm: Bool {
    substituting(Dictionary(uniqueKeysWithValues: symbols.map { ($0, Dim(0)) })).constant != 0
  }
}
