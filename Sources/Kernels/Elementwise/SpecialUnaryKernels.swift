import Tensors

/// The operand itself: a view.
struct IdentityKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) { call.alias(0, call[0]) }
}

/// Whether each element of a float tensor is NaN.
struct IsNaNKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    try FloatPredicate.run(call) { $0.isNaN }
  }
}

/// Whether each element of a float tensor is infinite, with the signs asked for.
struct IsInfKernel: Kernel {
  let negative: Bool, positive: Bool

  func run(_ call: KernelCall) throws(KernelError) {
    try FloatPredicate.run(call) { $0.isInfinite && ($0 < 0 ? negative : positive) }
  }
}

private enum FloatPredicate {
  @inline(__always)
  static func run(_ call: KernelCall, _ predicate: (Double) -> Bool) throws(KernelError) {
    let x = call[0]
    guard x.element.isFloatingPoint else {
      throw .element(x.element, of: "x", accepted: "floating-point types")
    }
    let y = call.allocate(0, .bool, x.shape)
    if x.element == .f32 {
      ElementwiseLoop.map(x, y) { (value: Float) in predicate(Double(value)) }
      return
    }
    let dense = call.contiguous(0)
    for index in 0..<y.elementCount {
      y.pointer(Bool.self)[index] = predicate(NumberCoding.load(dense.base, x.element, index))
    }
  }
}

/// `min(max(x, low), high)` with scalar bounds, each of which may be absent; `high` wins when they cross.
struct ClipKernel: NumberKernel {
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    let low = try bound(1, call, default: T.lowest)
    let high = try bound(2, call, default: T.highest)
    ElementwiseLoop.map(x, call.allocate(0, x.element, x.shape)) { (value: T) in
      T.lesser(T.greater(value, low), high)
    }
  }

  private func bound<T: Number>(_ operand: Int, _ call: KernelCall, default value: T) throws(KernelError) -> T
  {
    guard call.has(operand) else { return value }
    let view = try call.operand(operand, like: 0)
    guard view.elementCount == 1 else {
      throw .invalid("the bounds of 'clip' are scalars, found shape \(view.shape.array)")
    }
    return view.pointer(T.self)[0]
  }
}

/// Inference: the operand itself and a mask of ones. Training with a ratio above 0 is random, hence refused.
struct DropoutKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let isTraining = call.optional(2).map { $0.pointer(Bool.self)[0] } ?? false
    let ratio = call.optional(1).map { NumberCoding.load($0.base, $0.element, 0) } ?? 0.5
    guard !isTraining || ratio == 0 else { throw .unsupported("'dropout' in training mode is random") }
    StridedCopy.run(from: x, to: call.allocate(0, x.element, x.shape))
    let mask = call.allocate(1, .bool, x.shape)
    mask.pointer(Bool.self).update(repeating: true, count: mask.elementCount)
  }
}
