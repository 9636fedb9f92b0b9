import Tensors

/// `y[..., n] = sum over k of x[..., k] * weight[n, k] + bias[n]`, f32, with weights in some format.
struct LinearKernel: Kernel {
  let format: BlockFormat

  static let entry = KernelEntry("linear", widensNarrowFloats: true) { attributes throws(KernelError) in
    LinearKernel(format: try attributes.blockFormat("weight_format", orThrow: KernelError.unsupported))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, inner) = try call.rows(0)
    let weights = try call.weights(1, format, columns: inner)
    let columns = weights.rows
    let bias = try call.optionalRow(2, count: columns)
    var shape = x.shape
    shape[x.rank - 1] = columns
    let y = call.allocate(0, .f32, shape)
    let activations = Activations(
      x.pointer(), rows: shape.product(0..<x.rank - 1), inner: inner, for: format, resources: call.resources)
    WeightProduct(activations, weights, bias: bias, y: y.pointer()).run(call.resources)
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
