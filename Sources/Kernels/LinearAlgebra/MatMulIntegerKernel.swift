import Tensors

/// `(a - aZero) (b - bZero)` over 8-bit integers, accumulated in i32.
///
/// A zero point is a scalar, one number per row of `a` or per column of `b`, or a tensor that broadcasts.
struct MatMulIntegerKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let a = try widened(call, 0, zero: 2, isPerRow: true)
    let b = try widened(call, 1, zero: 3, isPerRow: false)
    let product = try MatrixStack(a, b)
    product.run(into: call.allocate(0, .i32, product.resultShape), as: Int32.self, call.resources)
  }

  /// An operand as i32 with its zero point subtracted.
  private func widened(_ call: KernelCall, _ operand: Int, zero: Int, isPerRow: Bool) throws(KernelError)
    -> TensorView
  {
    let x = call[operand]
    let wide = TensorView(call.resources.scratch(byteCount: x.elementCount * 4), .i32, x.shape)
    switch x.element {
    case .i8: ElementwiseLoop.map(x, wide) { (value: Int8) in Int32(value) }
    case .u8: ElementwiseLoop.map(x, wide) { (value: UInt8) in Int32(value) }
    default: throw .element(x.element, of: "operand \(operand)", accepted: "i8 and u8")
    }
    guard call.has(zero) else { return wide }
    var points = try call.operand(zero, like: operand)
    if isPerRow, points.rank == 1, x.rank > 1 {
      points.shape.append(1)
      points.strides.append(0)
    }
    guard try Broadcasting.shape(points.shape, x.shape) == x.shape else {
      throw .invalid("zero points of shape \(points.shape.array) do not broadcast to \(x.shape.array)")
    }
    if points.element == .i8 {
      ElementwiseLoop.map(wide, points, wide) { (value: Int32, point: Int8) in value &- Int32(point) }
    } else {
      ElementwiseLoop.map(wide, points, wide) { (value: Int32, point: UInt8) in value &- Int32(point) }
    }
    return wide
  }
}
