import Tensors

/// `y[..., n] = sum over k of x[..., k] * weight[n, k] + bias[n]`, f32.
struct LinearKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let (x, inner) = try call.rows(0)
    let weight = try call.matrix(1, columns: inner)
    let columns = weight.shape[0]
    let bias = try call.optionalRow(2, count: columns)
    var shape = x.shape
    shape[x.rank - 1] = columns
    let y = call.allocate(0, .f32, shape)
    LinearProduct(
      rows: columns == 0 ? 0 : y.elementCount / columns, inner: inner, columns: columns, x: x.pointer(),
      w: weight.pointer(), bias: bias, y: y.pointer()
    ).run(call.resources.pool)
  }
}

extension KernelCall {
  /// A required f32 operand as dense rows, and their length.
  func rows(_ operand: Int) throws(KernelError) -> (TensorView, length: Int) {
    let view = contiguous(operand)
    guard view.element == .f32 else {
      throw .element(view.element, of: "operand \(operand)", accepted: "f16, bf16 and f32")
    }
    guard view.rank >= 1 else { throw .invalid("operand \(operand) is a scalar, accepted is rank 1 or more") }
    return (view, view.shape[view.rank - 1])
  }
}
