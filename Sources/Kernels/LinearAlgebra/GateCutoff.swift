public import Tensors

/// The cut that leaves few gates of a row: statistical top-k (Spark Transformer, arXiv 2506.06644), as Gemma 3n has it.
///
///     z_j <- max(0, z_j - (mean(z) + deviations * std(z)))
///
/// with the mean and the standard deviation, over all n, of the row's gates.
public struct GateCutoff: Sendable {
  public let deviations: Float

  public init(deviations: Float) { self.deviations = deviations }

  /// The attribute `cutoff`; nil where there is none.
  public init?(_ attributes: Attributes) {
    guard let deviations = attributes.float("cutoff") else { return nil }
    self.deviations = deviations
  }

  /// Cuts the gates of a row in place.
  public func apply(_ z: UnsafeMutablePointer<Float>, _ count: Int) {
    let mean = RowFold.sum(z, count) / Float(count)
    for index in 0..<count { z[index] -= mean }
    let cut = deviations * (RowFold.sumOfSquares(z, count) / Float(count)).squareRoot()
    for index in 0..<count { z[index] = Float.greater(z[index] - cut, 0) }
  }
}
