import Tensors

/// Local response normalization over the channels of `x[n, c, ...]`.
///
///     y[n, c] = x[n, c] / (bias + alpha / size * sum of x[n, i]^2)^beta
///
/// for channels `i` from `c - (size - 1) / 2` (rounded down) to `c + (size - 1) / 2` (rounded up).
struct LocalResponseKernel: RealKernel {
  let alpha: Float, beta: Float, bias: Float
  let size: Int

  init(_ attributes: Attributes) {
    alpha = attributes.float("alpha", default: 0.0001)
    beta = attributes.float("beta", default: 0.75)
    bias = attributes.float("bias", default: 1)
    size = attributes.int("size", default: 1)
  }

  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call.contiguous(0)
    guard x.rank >= 2, size > 0 else {
      throw .invalid(
        "found shape \(x.shape.array) and size \(size), accepted are two axes and more, sizes above 0")
    }
    let y = call.allocate(0, x.element, x.shape).pointer(T.self)
    let (channels, spatial) = (x.shape[1], x.shape.array.dropFirst(2).reduce(1, *))
    for sample in 0..<x.shape[0] {
      let from = x.pointer(T.self) + sample * channels * spatial
      let to = y + sample * channels * spatial
      for channel in 0..<channels {
        let (low, high) = (max(0, channel - (size - 1) / 2), min(channels - 1, channel + size / 2))
        for position in 0..<spatial {
          var squares: T = 0
          for other in low...high {
            squares += from[other * spatial + position] * from[other * spatial + position]
          }
          let base = T(bias) + T(alpha) / T(size) * squares
          to[channel * spatial + position] = from[channel * spatial + position] / T.power(base, T(beta))
        }
      }
    }
  }
}
