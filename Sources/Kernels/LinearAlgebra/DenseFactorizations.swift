import COpenBLAS
import Foundation

/// Factorizations of small symmetric matrices in double precision, by the LAPACK inside OpenBLAS.
///
/// Matrices are dense, n rows of n. Where LAPACK counts along columns, a symmetric matrix is the same, and a
/// triangular one changes sides.
public struct DenseFactorizations: Sendable {
  private typealias Cholesky =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafeMutablePointer<Double>, UnsafePointer<Int32>,
      UnsafeMutablePointer<Int32>
    ) -> Void
  private typealias TriangularInverse =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafeMutablePointer<Double>,
      UnsafePointer<Int32>, UnsafeMutablePointer<Int32>
    ) -> Void
  private typealias Eigen =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafeMutablePointer<Double>,
      UnsafePointer<Int32>, UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>, UnsafePointer<Int32>,
      UnsafeMutablePointer<Int32>, UnsafePointer<Int32>, UnsafeMutablePointer<Int32>
    ) -> Void
  private typealias Product =
    @convention(c) (
      CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint, blasint, blasint, Double,
      UnsafePointer<Double>?, blasint, UnsafePointer<Double>?, blasint, Double, UnsafeMutablePointer<Double>?,
      blasint
    ) -> Void

  /// A matrix that has no such factorization.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  private let dpotrf: Cholesky
  private let dtrtri: TriangularInverse
  private let dsyevd: Eigen
  private let dgemm: Product

  init?(_ library: UnsafeMutableRawPointer) {
    guard let dpotrf = dlsym(library, "dpotrf_"), let dtrtri = dlsym(library, "dtrtri_"),
      let dsyevd = dlsym(library, "dsyevd_"), let dgemm = dlsym(library, "cblas_dgemm")
    else { return nil }
    self.dpotrf = unsafeBitCast(dpotrf, to: Cholesky.self)
    self.dtrtri = unsafeBitCast(dtrtri, to: TriangularInverse.self)
    self.dsyevd = unsafeBitCast(dsyevd, to: Eigen.self)
    self.dgemm = unsafeBitCast(dgemm, to: Product.self)
  }

  /// The lower triangular L with `matrix = L L^T`.
  ///
  /// - Throws: ``Failure`` when the matrix is not positive definite.
  public func cholesky(_ matrix: [Double], _ n: Int) throws(Failure) -> [Double] {
    var factor = matrix
    var (size, status) = (Int32(n), Int32(0))
    dpotrf("U", &size, &factor, &size, &status)
    guard status == 0 else {
      throw Failure(description: "the matrix is not positive definite (row \(status))")
    }
    for row in 0..<n {
      for column in (row + 1)..<max(n, row + 1) { factor[row * n + column] = 0 }
    }
    return factor
  }

  /// The inverse of a lower triangular matrix.
  ///
  /// - Throws: ``Failure`` when the matrix is singular.
  public func inverse(lowerTriangular matrix: [Double], _ n: Int) throws(Failure) -> [Double] {
    var inverse = matrix
    var (size, status) = (Int32(n), Int32(0))
    dtrtri("U", "N", &size, &inverse, &size, &status)
    guard status == 0 else { throw Failure(description: "the matrix is singular (row \(status))") }
    return inverse
  }

  /// Eigenvalues of a symmetric matrix, largest first, and the eigenvectors as rows.
  ///
  /// - Throws: ``Failure`` when the iteration does not converge.
  public func eigen(symmetric matrix: [Double], _ n: Int) throws(Failure) -> (
    values: [Double], vectors: [Double]
  ) {
    var vectors = matrix
    var values = [Double](repeating: 0, count: n)
    var (size, status) = (Int32(n), Int32(0))
    var workCount = Int32(1 + 6 * n + 2 * n * n)
    var indexCount = Int32(3 + 5 * n)
    var work = [Double](repeating: 0, count: Int(workCount))
    var indices = [Int32](repeating: 0, count: Int(indexCount))
    dsyevd("V", "U", &size, &vectors, &size, &values, &work, &workCount, &indices, &indexCount, &status)
    guard status == 0 else { throw Failure(description: "the eigenvalues do not converge (\(status))") }
    var ordered: [Double] = []
    ordered.reserveCapacity(n * n)
    for index in (0..<n).reversed() { ordered += vectors[index * n..<(index + 1) * n] }
    return (values.reversed(), ordered)
  }

  /// a b, each of n rows of n, either transposed if asked.
  public func product(
    _ a: [Double], _ b: [Double], _ n: Int, transposesA: Bool = false, transposesB: Bool = false
  ) -> [Double] {
    var c = [Double](repeating: 0, count: n * n)
    let size = blasint(n)
    dgemm(
      CblasRowMajor, transposesA ? CblasTrans : CblasNoTrans, transposesB ? CblasTrans : CblasNoTrans, size,
      size, size, 1, a, size, b, size, 0, &c, size)
    return c
  }
}
