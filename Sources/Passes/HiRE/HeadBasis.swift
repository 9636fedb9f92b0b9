import GraphIR
import Kernels
import Tensors

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Coordinates of hidden states in the order of what they tell about logits.
///
/// With C = E[h h^T] = L L^T over calibrated states and W the weights of the head, let L^T W^T W L = Q diag(e) Q^T with
/// the largest eigenvalue first. Then
///
///     z = Q^T L^-1 h                      [K], coordinates of unit variance      (``projection``)
///     W h = (W L Q) z                     the columns of W L Q fall off with e   (``mixing`` is L Q)
///
/// so the first r columns and coordinates are the approximation of rank r with the least mean squared error of logits
/// on such states. A plain decomposition of W, which asks for the least error on all states alike, needs several times
/// the rank.
struct HeadBasis {
  let width: Int
  /// [K, K]: a row per coordinate.
  let projection: [Float]
  /// [K, K]: a column per coordinate.
  let mixing: [Float]

  /// Share of the mean eigenvalue that is added to all: states span fewer directions than there are.
  private static let ridge = 1e-4

  /// - Parameters:
  ///   - states: f32 [N, K].
  ///   - weights: f32 [V, K].
  init(states: Tensor, rows: Int, weights: Tensor, pool: ThreadPool) throws(Miss) {
    let n = weights.shape[1]
    var covariance = Self.gram(states, rows: rows, pool)
    let scale = 1 / Double(max(1, rows))
    for index in covariance.indices { covariance[index] *= scale }
    let trace = (0..<n).reduce(0.0) { $0 + covariance[$1 * n + $1] }
    for index in 0..<n { covariance[index * n + index] += Self.ridge * trace / Double(n) }
    try self.init(covariance: covariance, weights: weights, pool: pool)
  }

  /// - Parameter covariance: C, [K, K].
  init(covariance: [Double], weights: Tensor, pool: ThreadPool) throws(Miss) {
    let (factorizations, n) = (try Self.factorizations(), weights.shape[1])
    width = n
    let logits = Self.gram(weights, rows: weights.shape[0], pool)
    do throws(DenseFactorizations.Failure) {
      let factor = try factorizations.cholesky(covariance, n)
      let inverse = try factorizations.inverse(lowerTriangular: factor, n)
      let inner = factorizations.product(
        factor, factorizations.product(logits, factor, n), n, transposesA: true)
      let vectors = try factorizations.eigen(symmetric: inner, n).vectors
      projection = factorizations.product(vectors, inverse, n).map { Float($0) }
      mixing = factorizations.product(factor, vectors, n, transposesB: true).map { Float($0) }
    } catch {
      throw Miss("the hidden states have no basis: \(error)")
    }
  }

  /// Coordinates in rows of an orthogonal matrix, [K, K].
  init(orthogonal matrix: [Double], width: Int) {
    self.width = width
    projection = matrix.map { Float($0) }
    mixing = (0..<(width * width)).map { Float(matrix[$0 % width * width + $0 / width]) }
  }

  static func factorizations() throws(Miss) -> DenseFactorizations {
    guard let factorizations = OpenBLAS.shared?.factorizations else {
      throw Miss("finding a predictor needs OpenBLAS with LAPACK, which is not on this machine")
    }
    return factorizations
  }

  /// x^T x of f32 [rows, K], in double precision from piece to piece.
  static func gram(_ x: Tensor, rows: Int, _ pool: ThreadPool) -> [Double] {
    let (n, step) = (x.shape[1], 1024)
    let base = UnsafePointer(x.base.assumingMemoryBound(to: Float.self))
    var sum = [Double](repeating: 0, count: n * n)
    let transposed = UnsafeMutablePointer<Float>.allocate(capacity: n * step)
    let part = UnsafeMutablePointer<Float>.allocate(capacity: n * n)
    defer {
      transposed.deallocate()
      part.deallocate()
    }
    for first in stride(from: 0, to: rows, by: step) {
      let count = min(step, rows - first)
      let piece = base + first * n
      for row in 0..<count {
        for column in 0..<n { transposed[column * count + row] = piece[row * n + column] }
      }
      LinearProduct(rows: n, inner: count, columns: n, x: transposed, w: piece, y: part, isTransposed: true)
        .run(pool)
      for index in 0..<(n * n) { sum[index] += Double(part[index]) }
    }
    return withExtendedLifetime(x) { sum }
  }

  /// The first `count` rows of ``projection``, the first `rotated` of them mixed evenly.
  ///
  /// After a rotation all coordinates matter alike, so one scale per row of few bits serves all of them.
  func projection(count: Int, rotated: Int, _ pool: ThreadPool) -> [Float] {
    var rows = Array(projection[..<(count * width)])
    rows.withUnsafeMutableBufferPointer {
      Self.multiply(Self.rotation(rotated), projection, into: $0, rows: rotated, columns: width, pool)
    }
    return rows
  }

  /// The first `count` columns of ``mixing``, [K, count], the first `rotated` of them mixed evenly.
  func mixing(count: Int, rotated: Int, _ pool: ThreadPool) -> [Float] {
    var (first, mixed) = (
      [Float](repeating: 0, count: width * rotated), [Float](repeating: 0, count: width * rotated)
    )
    for row in 0..<width {
      for column in 0..<rotated { first[row * rotated + column] = mixing[row * width + column] }
    }
    mixed.withUnsafeMutableBufferPointer {
      Self.multiply(first, Self.rotation(rotated), into: $0, rows: width, columns: rotated, pool)
    }
    var columns = [Float](repeating: 0, count: width * count)
    for row in 0..<width {
      for column in 0..<count {
        columns[row * count + column] =
          column < rotated ? mixed[row * rotated + column] : mixing[row * width + column]
      }
    }
    return columns
  }

  /// y = x w of matrices [rows, K'] and [K', columns].
  private static func multiply(
    _ x: [Float], _ w: [Float], into y: UnsafeMutableBufferPointer<Float>, rows: Int, columns: Int,
    _ pool: ThreadPool
  ) {
    guard rows > 0, columns > 0, let y = y.baseAddress else { return }
    x.withUnsafeBufferPointer { x in
      w.withUnsafeBufferPointer { w in
        LinearProduct(
          rows: rows, inner: x.count / rows, columns: columns, x: x.baseAddress!, w: w.baseAddress!, y: y,
          isTransposed: true
        ).run(pool)
      }
    }
  }

  /// An orthogonal matrix of numbers of about one size: those of the discrete Hartley transform,
  /// cas(2 pi i j / n) / sqrt(n) with cas(t) = cos t + sin t, which is symmetric and its own inverse.
  static func rotation(_ n: Int) -> [Float] {
    (0..<(n * n)).map { place in
      let angle = 2 * Double.pi * Double(place / n * (place % n) % n) / Double(n)
      return Float((cos(angle) + sin(angle)) / Double(n).squareRoot())
    }
  }
}
