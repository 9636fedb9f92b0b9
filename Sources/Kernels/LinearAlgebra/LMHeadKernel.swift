import Tensors

/// Logits of a vocabulary, f32.
///
///     y[b, s, v] = softcap(sum over k of x[b, s, k] * weight[v, k] + bias[v])     softcap(z) = c tanh(z / c)
///
/// With `isLastOnly` only of the last row of each batch entry.
struct LMHeadKernel: Kernel {
  let softcap: Float
  let isLastOnly: Bool

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, inner) = try call.rows(0)
    guard x.rank == 3, x.shape[1] > 0 || !isLastOnly else {
      throw .invalid("x is \(x.shape.array), accepted is [B, S, K]\(isLastOnly ? " with a last row" : "")")
    }
    let weight = try call.matrix(1, columns: inner)
    let (batch, rows, columns) = (x.shape[0], x.shape[1], weight.shape[0])
    let bias = try call.optionalRow(2, count: columns)
    let y = call.allocate(0, .f32, Extents([batch, isLastOnly ? 1 : rows, columns]))
    var product = LinearProduct(
      rows: batch * y.shape[1], inner: inner, columns: columns, x: x.pointer(), w: weight.pointer(),
      bias: bias, y: y.pointer())
    if isLastOnly {
      product.x += (rows - 1) * inner
      product.xStride = rows * inner
    }
    product.run(call.resources.pool) { piece in
      guard softcap != 0 else { return }
      for row in piece.rows {
        Float.cap(
          product.y + (row * columns + piece.columns.lowerBound), piece.columns.count, softcap: softcap)
      }
    }
  }
}
