import Tensors

enum JoinKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("concat") { attributes throws(KernelError) in
      guard let axis = attributes.int("axis") else { throw .invalid("attribute 'axis' is missing") }
      return ConcatKernel(axis: axis)
    },
    KernelEntry("split", sharing: .views(of: 0)) {
      SplitKernel(axis: $0.int("axis", default: 0), count: $0.int("num_outputs"))
    },
    KernelEntry("tile") { _ in TileKernel() },
  ]
}

/// Operands one after the other along an axis.
struct ConcatKernel: Kernel {
  let axis: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let first = call[0]
    let axis = try first.shape.axis(axis)
    var shape = first.shape
    for index in 1..<max(1, call.operandCount) {
      let next = call[index]
      var expected = shape
      expected[axis] = next.rank == shape.count ? next.shape[axis] : 0
      guard next.shape == expected, next.element == first.element else {
        throw .invalid(
          "operand \(index) is \(next.element)\(next.shape.array), operand 0 is"
            + " \(first.element)\(first.shape.array): "
            + "they may differ along axis \(axis) only")
      }
      shape[axis] += next.shape[axis]
    }
    let y = call.allocate(0, first.element, shape)
    var start = 0
    for index in 0..<call.operandCount {
      let x = call[index]
      StridedCopy.run(from: x, to: y.narrowed(axis, from: start, count: x.shape[axis]))
      start += x.shape[axis]
    }
  }
}

/// Parts of an axis as views: sizes in operand 1, or `count` parts of equal size with a smaller last one.
struct SplitKernel: Kernel {
  let axis: Int
  let count: Int?

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let axis = try x.shape.axis(axis)
    let extent = x.shape[axis]
    var start = 0
    if call.has(1) {
      let sizes = try call.integerBuffer(1)
      guard sizes.count == call.resultCount, sizes.reduce(0, +) == extent, sizes.allSatisfy({ $0 >= 0 })
      else {
        throw .invalid(
          "sizes \(Array(sizes)) do not split axis \(axis) of extent \(extent) into \(call.resultCount) parts"
        )
      }
      for (index, size) in sizes.enumerated() {
        call.alias(index, x.narrowed(axis, from: start, count: size))
        start += size
      }
      return
    }
    let parts = count ?? call.resultCount
    guard parts > 0, parts == call.resultCount else {
      throw .invalid("'num_outputs' is \(parts), the node has \(call.resultCount) results")
    }
    let size = (extent + parts - 1) / parts
    for index in 0..<parts {
      let length = min(size, max(0, extent - start))
      call.alias(index, x.narrowed(axis, from: start, count: length))
      start += length
    }
  }
}

/// The operand repeated along each axis as often as operand 1 says.
struct TileKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let repeats = try call.integerBuffer(1)
    guard repeats.count == x.rank, repeats.allSatisfy({ $0 >= 0 }) else {
      throw .invalid("repeats are \(Array(repeats)), accepted is a count for each of \(x.rank) axes")
    }
    var shape = x.shape
    for axis in 0..<x.rank {
      let (extent, overflows) = x.shape[axis].multipliedReportingOverflow(by: repeats[axis])
      shape[axis] = overflows ? .max : extent
    }
    let y = try call.allocateBounded(0, x.element, shape)
    let maps = (0..<x.rank).map { axis in (0..<shape[axis]).map { $0 % x.shape[axis] } }
    MappedCopy.run(from: x, to: y, maps: maps, fill: nil)
  }
}
