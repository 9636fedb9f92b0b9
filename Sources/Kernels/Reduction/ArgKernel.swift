import Tensors

/// The position of the largest or smallest element along an axis; the first or the last of equal ones.
struct ArgKernel: NumberKernel {
  let axis: Int
  let keepsAxes: Bool
  let selectsLast: Bool
  let isMaximum: Bool

  init(_ attributes: Attributes, isMaximum: Bool) {
    axis = attributes.int("axis", default: 0)
    keepsAxes = attributes.bool("keepdims", default: true)
    selectsLast = attributes.bool("select_last_index", default: false)
    self.isMaximum = isMaximum
  }

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    let axis = try KernelCall.axis(axis, rank: x.rank)
    var shape = Extents()
    for index in 0..<x.rank {
      if index != axis { shape.append(x.shape[index]) } else if keepsAxes { shape.append(1) }
    }
    let y = call.allocate(0, .i64, shape).pointer(Int.self)
    let rows = RowView(x, axes: x.rank == 0 ? [] : [axis], call)
    guard rows.length > 0 || rows.count == 0 else {
      throw .invalid("axis \(axis) of extent 0 has no largest or smallest element")
    }
    for index in 0..<rows.count { y[index] = position(rows.row(index, T.self), rows.length) }
  }

  private func position<T: Number>(_ row: UnsafePointer<T>, _ count: Int) -> Int {
    var best = 0
    for index in 1..<max(count, 1) {
      let (a, b) = (row[index], row[best])
      if isMaximum ? a > b : a < b { best = index } else if selectsLast, a == b { best = index }
    }
    return best
  }
}
