import Tensors

/// Logits of a vocabulary, f32, with weights in some format.
///
///     y[b, s, v] = softcap(sum over k of x[b, s, k] * weight[v, k] + bias[v])     softcap(z) = c tanh(z / c)
///
/// With `isLastOnly` only of the last row of each batch entry.
struct LMHeadKernel: Kernel {
  let softcap: Float
  let isLastOnly: Bool
  let format: BlockFormat

  static let entry = KernelEntry("lm_head", widensNarrowFloats: true) { attributes throws(KernelError) in
    LMHeadKernel(
      softcap: attributes.float("softcap", default: 0),
      isLastOnly: attributes.bool("last_only", default: false),
      format: try attributes.blockFormat("weight_format", orThrow: KernelError.unsupported))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, inner) = try call.rows(0)
    guard x.rank == 3, x.shape[1] > 0 || !isLastOnly else {
      throw .invalid("x is \(x.shape.array), accepted is [B, S, K]\(isLastOnly ? " with a last row" : "")")
    }
    let weights = try call.weights(1, format, columns: inner)
    let (batch, rows, columns) = (x.shape[0], x.shape[1], weights.rows)
    let bias = try call.optionalRow(2, count: columns)
    let y = call.allocate(0, .f32, Extents(batch, isLastOnly ? 1 : rows, columns))
    let activations = Activations(
      x.pointer() + (isLastOnly ? (rows - 1) * inner : 0), rows: batch * y.shape[1], inner: inner,
      stride: isLastOnly ? rows * inner : inner, for: format, resources: call.resources)
    let product = WeightProduct(activations, weights, bias: bias, y: y.pointer())
    product.run(call.resources) { piece in
      guard softcap != 0 else { return }
      for row in piece.rows {
        Float.cap(
          product.y + (row * columns + piece.columns.lowerBound), piece.columns.count, softcap: softcap)
      }
    }
  }
}
