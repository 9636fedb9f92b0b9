#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Log-probabilities of one row of logits, in f32 with the sum of exponentials over vector lanes.
public struct LogSoftmaxRow {
  /// log of the sum of exp(logits).
  public let normalizer: Float
  /// exp(logit - maximum), of all logits.
  private let weights: UnsafeMutablePointer<Float>
  private let logits: UnsafePointer<Float>
  private let count: Int
  private let sum: Float

  /// - Parameter weights: memory for `logits.count` numbers, which lives as long as the row.
  public init(_ logits: UnsafeBufferPointer<Float>, weights: UnsafeMutablePointer<Float>) {
    guard let base = logits.baseAddress else { preconditionFailure("a row without logits") }
    self.logits = base
    self.weights = weights
    count = logits.count
    let maximum = VectorMath.best.maximum(count, base)
    sum = VectorMath.best.expSum(count, base, maximum, weights)
    normalizer = maximum + log(sum)
  }

  public subscript(index: Int) -> Float { logits[index] - normalizer }

  /// The first index of the largest logit.
  public var argmax: Int {
    var best = 0
    for index in 1..<max(count, 1) where logits[index] > logits[best] { best = index }
    return best
  }

  /// KL(self || other) = sum of p (log p - log q), in nats.
  public func divergence(to other: LogSoftmaxRow) -> Double {
    precondition(count == other.count, "rows of different vocabularies")
    var total: Double = 0
    let stride = 1024
    for start in Swift.stride(from: 0, to: count, by: stride) {
      var part: Float = 0
      for index in start..<min(start + stride, count) {
        part += weights[index] * (self[index] - other[index])
      }
      total += Double(part)
    }
    return total / Double(sum)
  }
}
