/// A metric in which errors of weights and hidden states are measured: matrices T and S, T^T S about the
/// identity.
///
///     |<e, x>| <= |S e| |T x|
///
/// holds for all of them. With C = E[x x^T] = Q diag(c) Q^T over calibrated states
///
///     T = diag(c)^(-1/4) Q^T,  S = diag(c)^(1/4) Q^T
///
/// makes the mean of |S e|^2 |T x|^2 over errors without direction the least: (sum of sqrt(c))^2 in place of
/// n times the sum of c. What is gained is the more the fewer directions hidden states have.
public struct BoundMetric: Sendable {
  public let size: Int
  /// T and S, [K, K].
  public let forward: [Float], dual: [Float]
  /// At least |I - T^T S|, |T| and |S|, the roots of the sums of squares.
  let defect: Double, norm: Double, dualNorm: Double

  /// Share of the mean eigenvalue that is added to all: other texts have other directions.
  private static let ridge = 1e-3

  /// - Parameter covariance: C, n rows of n.
  /// - Throws: ``DenseFactorizations/Failure`` when it has no eigenvalues.
  public init(covariance: [Double], _ n: Int, _ factorizations: DenseFactorizations)
    throws(DenseFactorizations.Failure)
  {
    let (values, vectors) = try factorizations.eigen(symmetric: covariance, n)
    let mean = values.reduce(0, +) / Double(n)
    guard mean > 0, mean.isFinite else { throw .init(description: "the hidden states are all zero") }
    let roots = values.map { (max(0, $0) / mean + Self.ridge).squareRoot().squareRoot() }
    size = n
    forward = vectors.indices.map { Float(vectors[$0] / roots[$0 / n]) }
    dual = vectors.indices.map { Float(vectors[$0] * roots[$0 / n]) }
    var product = factorizations.product(
      forward.map(Double.init), dual.map(Double.init), n, transposesA: true)
    for index in 0..<n { product[index * n + index] -= 1 }
    func norm(_ squares: some Sequence<Double>) -> Double {
      squares.reduce(0, +).squareRoot() * (1 + 0x1p-20)
    }
    defect = norm(product.lazy.map { $0 * $0 }) + 0x1p-30
    self.norm = norm(forward.lazy.map { Double($0) * Double($0) })
    dualNorm = norm(dual.lazy.map { Double($0) * Double($0) })
  }
}
