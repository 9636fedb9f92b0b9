import Tensors

/// `y[..., n] = sum over k of x[..., k] * weight[n, k] + bias[n]`, f32.
struct LinearKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call.contiguous(0)
    let weight = call.contiguous(1)
    let bias = call.has(2) ? call.contiguous(2) : nil
    guard x.element == .f32, weight.element == .f32, bias?.element ?? .f32 == .f32 else {
      throw .element(x.element == .f32 ? weight.element : x.element, of: "x", accepted: "f16, bf16 and f32")
    }
    guard x.rank >= 1, weight.rank == 2 else {
      throw .invalid("ranks are \(x.rank) and \(weight.rank), accepted are 1 or more and 2")
    }
    let (inner, columns) = (x.shape[x.rank - 1], weight.shape[0])
    guard weight.shape[1] == inner else {
      throw .invalid("x \(x.shape.array) does not fit weight \(weight.shape.array)")
    }
    if let bias, bias.shape.array != [columns] {
      throw .invalid("bias has shape \(bias.shape.array), accepted is [\(columns)]")
    }
    var shape = x.shape
    shape[x.rank - 1] = columns
    let y = call.allocate(0, .f32, shape)
    LinearProduct(
      rows: columns == 0 ? 0 : y.elementCount / columns, inner: inner, columns: columns,
      x: x.base.assumingMemoryBound(to: Float.self), w: weight.base.assumingMemoryBound(to: Float.self),
      bias: bias?.base.assumingMemoryBound(to: Float.self), y: y.base.assumingMemoryBound(to: Float.self)
    ).run(call.resources.pool)
  }
}
