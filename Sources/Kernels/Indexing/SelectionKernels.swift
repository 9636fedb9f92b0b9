import Tensors

enum SelectionKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("one_hot") { OneHotKernel(axis: $0.int("axis", default: -1)) },
    KernelEntry("non_zero") { _ in NonZeroKernel() },
    KernelEntry("compress") { CompressKernel(axis: $0.int("axis")) },
  ]
}

/// `values[1]` where the new axis equals the index, `values[0]` elsewhere; indices outside of the depth match
/// nowhere.
struct OneHotKernel: Kernel {
  let axis: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let (indices, depth, values) = (call.contiguous(0), call[1], call.contiguous(2))
    guard depth.elementCount == 1, values.elementCount == 2 else {
      throw .invalid("'depth' must have 1 element and 'values' 2: off and on")
    }
    let value = NumberCoding.load(depth.base, depth.element, 0)
    guard let count = Int(exactly: value.rounded(.towardZero)), count > 0 else {
      throw .invalid("'depth' is \(value), accepted is 1 or more")
    }
    guard indices.rank < Extents.maximumRank else {
      throw .unsupported(
        "the indices have rank \(indices.rank), accepted is up to \(Extents.maximumRank - 1)")
    }
    let axis = try indices.shape.inserting(count, at: 0).axis(axis)
    let y = try call.allocateBounded(0, values.element, indices.shape.inserting(count, at: axis))
    StridedCopy.run(
      from: TensorView(values.base, values.element, y.shape, strides: Extents(repeating: 0, count: y.rank)),
      to: y)
    let size = values.element.byteCount
    let inner = y.shape.product((axis + 1)..<y.rank)
    for place in 0..<indices.elementCount {
      let value = Int(NumberCoding.integer(NumberCoding.load(indices.base, indices.element, place)))
      let index = value < 0 ? value + count : value
      guard (0..<count).contains(index) else { continue }
      let offset = (place / inner * count + index) * inner + place % inner
      (y.base + offset * size).copyMemory(from: values.base + size, byteCount: size)
    }
  }
}

/// The positions of elements other than zero, one column each, in row-major order: i64 `[rank, count]`.
struct NonZeroKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call.contiguous(0)
    let total = x.elementCount
    let places = call.resources.scratch(byteCount: total * 8).bindMemory(to: Int.self, capacity: total)
    var count = 0
    for place in 0..<total where NumberCoding.load(x.base, x.element, place) != 0 {
      places[count] = place
      count += 1
    }
    let y = call.allocate(0, .i64, Extents(x.rank, count))
    let to = y.base.assumingMemoryBound(to: Int.self)
    var step = 1
    for axis in stride(from: x.rank - 1, through: 0, by: -1) {
      for index in 0..<count { to[axis * count + index] = places[index] / step % x.shape[axis] }
      step *= x.shape[axis]
    }
  }
}

/// The slices of an axis (or the elements, without one) whose condition is true.
struct CompressKernel: Kernel {
  let axis: Int?

  func run(_ call: KernelCall) throws(KernelError) {
    let condition = call.contiguous(1)
    guard condition.rank == 1, condition.element == .bool else {
      throw .invalid(
        "the condition is \(condition.element)\(condition.shape.array), accepted is a vector of bool")
    }
    var x = call[0]
    if axis == nil {
      x = call.contiguous(0)
      x = TensorView(x.base, x.element, Extents(x.elementCount))
    }
    let axis = try x.shape.axis(axis ?? 0)
    let flags = UnsafeRawBufferPointer(
      start: condition.base, count: min(condition.elementCount, x.shape[axis]))
    var shape = x.shape
    shape[axis] = flags.count { $0 != 0 }
    let y = call.allocate(0, x.element, shape)
    var place = 0
    for (index, flag) in flags.enumerated() where flag != 0 {
      StridedCopy.run(
        from: x.narrowed(axis, from: index, count: 1), to: y.narrowed(axis, from: place, count: 1))
      place += 1
    }
  }
}
