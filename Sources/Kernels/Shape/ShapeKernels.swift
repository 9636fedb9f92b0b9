import Tensors

enum ShapeKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("transpose", sharing: .views(of: 0)) { TransposeKernel(permutation: $0.ints("perm")) },
    KernelEntry("shape") { ShapeKernel(start: $0.int("start", default: 0), end: $0.int("end")) },
  ]
}

/// Reorders axes: a view, no element moves. Without a permutation the axes are reversed.
struct TransposeKernel: Kernel {
  let permutation: [Int]?

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let order = permutation ?? (0..<x.rank).reversed()
    guard order.count == x.rank, Set(order) == Set(0..<x.rank) else {
      throw .invalid("'perm' \(order) is not a permutation of the \(x.rank) axes of the operand")
    }
    var y = x
    for (axis, source) in order.enumerated() {
      y.shape[axis] = x.shape[source]
      y.strides[axis] = x.strides[source]
    }
    call.alias(0, y)
  }
}

/// The extents of axes `start..<end` as an i64 vector; negative bounds count from the back, both are clamped.
struct ShapeKernel: Kernel {
  let start: Int
  let end: Int?

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    func clamp(_ bound: Int) -> Int { min(max(bound < 0 ? bound + x.rank : bound, 0), x.rank) }
    let axes = clamp(start)..<max(clamp(start), clamp(end ?? x.rank))
    let y = call.allocate(0, .i64, Extents(axes.count))
    for (index, axis) in axes.enumerated() {
      y.base.storeBytes(of: x.shape[axis], toByteOffset: index * 8, as: Int.self)
    }
  }
}
