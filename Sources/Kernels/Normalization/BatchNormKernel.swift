import Tensors

/// Normalizes each channel of `x[n, c, ...]` with given statistics, or with its own in training mode.
///
///     y = (x - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + bias[c]
///
/// Operands: x, scale, bias, mean, variance. In training mode results 1 and 2 are the running statistics,
/// `given * momentum + own * (1 - momentum)`.
struct BatchNormKernel: RealKernel {
  let epsilon: Float, momentum: Float
  let isTraining: Bool

  init(_ attributes: Attributes) {
    epsilon = attributes.float("epsilon", default: 1e-5)
    momentum = attributes.float("momentum", default: 0.9)
    isTraining = attributes.bool("training_mode", default: false)
  }

  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call.contiguous(0)
    guard x.rank >= 1 else { throw .invalid("found a scalar, accepted are two axes and more") }
    let channels = x.rank > 1 ? x.shape[1] : 1
    let scale = try channelVector(call, 1, channels, T.self)
    let bias = try channelVector(call, 2, channels, T.self)
    let means = try channelVector(call, 3, channels, T.self)
    let variances = try channelVector(call, 4, channels, T.self)
    let y = call.allocate(0, x.element, x.shape).pointer(T.self)
    let spatial = x.shape.array.dropFirst(2).reduce(1, *)
    let from = x.pointer(T.self)
    let statistics = Extents(channels)
    let runningMeans = isTraining ? call.allocate(1, x.element, statistics).pointer(T.self) : nil
    let runningVariances = isTraining ? call.allocate(2, x.element, statistics).pointer(T.self) : nil
    for channel in 0..<channels {
      var (mean, variance) = (means[channel], variances[channel])
      if isTraining {
        let count = T(x.shape[0] * spatial)
        var sum: T = 0
        Self.forEach(channel, x.shape[0], channels, spatial) { sum += from[$0] }
        mean = sum / count
        var squares: T = 0
        Self.forEach(channel, x.shape[0], channels, spatial) {
          squares += (from[$0] - mean) * (from[$0] - mean)
        }
        variance = squares / count
        runningMeans![channel] = means[channel] * T(momentum) + mean * (1 - T(momentum))
        runningVariances![channel] = variances[channel] * T(momentum) + variance * (1 - T(momentum))
      }
      let (factor, offset) = (scale[channel] / (variance + T(epsilon)).squareRoot(), bias[channel])
      Self.forEach(channel, x.shape[0], channels, spatial) { y[$0] = (from[$0] - mean) * factor + offset }
    }
  }

  /// Visits the positions of a channel.
  @inline(__always)
  private static func forEach(
    _ channel: Int, _ samples: Int, _ channels: Int, _ spatial: Int, _ body: (Int) -> Void
  ) {
    for sample in 0..<samples {
      let start = (sample &* channels &+ channel) &* spatial
      for position in start..<(start &+ spatial) { body(position) }
    }
  }
}
