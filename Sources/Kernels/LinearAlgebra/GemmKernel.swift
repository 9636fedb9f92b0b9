import Tensors

/// `y = alpha a' b' + beta c`, with `a'` and `b'` transposed on request and `c` broadcast; `c` may be absent.
struct GemmKernel: NumberKernel {
  let alpha: Float, beta: Float
  let transposesA: Bool, transposesB: Bool

  init(_ attributes: Attributes) {
    alpha = attributes.float("alpha", default: 1)
    beta = attributes.float("beta", default: 1)
    transposesA = attributes.bool("transA", default: false)
    transposesB = attributes.bool("transB", default: false)
  }

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let a = try Self.matrix(call[0], "a", isTransposed: transposesA)
    let b = try Self.matrix(try call.operand(1, like: 0), "b", isTransposed: transposesB)
    let product = try MatrixStack(a, b)
    let y = call.allocate(0, a.element, product.resultShape)
    product.run(into: y, as: type, call.resources)
    if alpha != 1 {
      let factor = T(converting: Double(alpha))
      ElementwiseLoop.map(y, y) { (value: T) in T.product(factor, value) }
    }
    guard call.has(2), beta != 0 else { return }
    let c = try call.operand(2, like: 0)
    guard try Broadcasting.shape(c.shape, y.shape) == y.shape else {
      throw .invalid("'c' of shape \(c.shape.array) does not broadcast to \(y.shape.array)")
    }
    let factor = T(converting: Double(beta))
    ElementwiseLoop.map(y, c, y) { (value: T, addend: T) in T.sum(value, T.product(factor, addend)) }
  }

  private static func matrix(_ view: TensorView, _ name: String, isTransposed: Bool) throws(KernelError)
    -> TensorView
  {
    guard view.rank == 2 else {
      throw .invalid("'\(name)' has shape \(view.shape.array), accepted are matrices")
    }
    guard isTransposed else { return view }
    return TensorView(
      view.base, view.element, Extents(view.shape[1], view.shape[0]),
      strides: Extents(view.strides[1], view.strides[0]))
  }
}
