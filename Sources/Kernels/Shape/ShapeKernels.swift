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
    var y = x
    // Which axes of the operand were met.
    var met = 0
    for axis in 0..<x.rank {
      let source = permutation.map { axis < $0.count ? $0[axis] : -1 } ?? x.rank - 1 - axis
      guard source >= 0, source < x.rank, met >> source & 1 == 0,
        permutation.map({ $0.count == x.rank }) ?? true
      else {
        throw .invalid(
          "'perm' \(permutation ?? []) is not a permutation of the \(x.rank) axes of the operand")
      }
      met |= 1 << source
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
    for axis in axes {
      y.base.storeBytes(of: x.shape[axis], toByteOffset: (axis - axes.lowerBound) * 8, as: Int.self)
    }
  }
}
