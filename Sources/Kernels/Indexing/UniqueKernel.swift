import Tensors

/// The distinct slices of an axis (or elements, without one), with first positions, inverse positions and
/// counts.
///
/// Slices compare element by element; in the order of first appearance unless sorted.
struct UniqueKernel: Kernel {
  let axis: Int?
  let isSorted: Bool

  static let entry = KernelEntry("unique") {
    UniqueKernel(axis: $0.int("axis"), isSorted: $0.bool("sorted", default: true))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    var x = call.contiguous(0)
    if axis == nil { x = TensorView(x.base, x.element, Extents(x.elementCount)) }
    let axis = try x.shape.axis(axis ?? 0)
    let slices = (0..<x.shape[axis]).map { values(of: x.selecting(axis, $0)) }
    var first: [[Double]: Int] = [:]
    var order: [Int] = []
    var counts: [Int: Int] = [:]
    for (place, slice) in slices.enumerated() {
      if first[slice] == nil {
        first[slice] = place
        order.append(place)
      }
      counts[first[slice]!, default: 0] += 1
    }
    if isSorted { order.sort { slices[$0].lexicographicallyPrecedes(slices[$1]) } }
    var shape = x.shape
    shape[axis] = order.count
    let y = call.allocate(0, x.element, shape)
    for (place, source) in order.enumerated() {
      StridedCopy.run(
        from: x.narrowed(axis, from: source, count: 1), to: y.narrowed(axis, from: place, count: 1))
    }
    let rank = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    write(order, call, 1)
    write(slices.map { rank[first[$0]!]! }, call, 2)
    write(order.map { counts[$0]! }, call, 3)
  }

  private func values(of view: TensorView) -> [Double] {
    var values: [Double] = []
    StridedLoop(view.shape, view.strides, view.strides).forEachRow { row in
      for index in 0..<row.count {
        values.append(NumberCoding.load(view.base, view.element, row.offset0 + index * row.stride0))
      }
    }
    return values
  }

  private func write(_ values: [Int], _ call: KernelCall, _ result: Int) {
    guard call.isUsed(result: result) else { return }
    let y = call.allocate(result, .i64, Extents(values.count))
    values.withUnsafeBytes {
      y.base.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(y.base), byteCount: $0.count)
    }
  }
}
