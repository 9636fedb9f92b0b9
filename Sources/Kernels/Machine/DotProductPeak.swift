public import Tensors

/// The speed of products with weights in a format where memory does not slow them: every thread has small
/// operands of its own, which stay in its second-level cache.
public final class DotProductPeak {
  private let products: [CachedProduct]

  public init(_ format: BlockFormat, threadCount: Int) {
    products = (0..<threadCount).map { _ in CachedProduct(format) }
  }

  /// Operations per second of all threads together, a multiplication and an addition per weight and row: the
  /// best of a few passes of about `milliseconds`.
  public func measure(_ pool: ThreadPool, passes: Int = 5, milliseconds: Double = 4) -> Double {
    let single = max(1e-9, (0..<3).map { _ in seconds(1, pool) }.min() ?? 0)
    let turns = max(1, Int(milliseconds / 1000 / single))
    let best = (0..<passes).map { _ in seconds(turns, pool) }.min() ?? single
    return Double(turns * products.count * CachedProduct.operations) / max(best, 1e-9)
  }

  private func seconds(_ turns: Int, _ pool: ThreadPool) -> Double {
    let start = ContinuousClock.now
    pool.forEach(products.count) { index in
      for _ in 0..<turns { products[index].run() }
    }
    return (ContinuousClock.now - start).seconds
  }
}

/// A product of ``LinearProduct/blockRows`` rows with 64 rows of 512 weights.
private final class CachedProduct {
  private static let (rows, columns) = (64, 512)
  static let operations = 2 * LinearProduct.blockRows * rows * columns

  private let weights: TensorStorage
  private let x, y: UnsafeMutablePointer<Float>
  private let product: WeightProduct
  private let resources = Resources(pool: ThreadPool(threadCount: 1))
  /// Holds the activations as the product takes them.
  private let prepared = Resources(pool: ThreadPool(threadCount: 1))

  init(_ format: BlockFormat) {
    let (count, columns) = (LinearProduct.blockRows, Self.columns)
    weights = TensorStorage(byteCount: Self.rows * format.rowBytes(columns))
    x = .allocate(capacity: count * columns)
    y = .allocate(capacity: count * Self.rows)
    for index in 0..<count * columns { x[index] = Float(index % 7) - 3 }
    y.initialize(repeating: 0, count: count * Self.rows)
    for row in 0..<Self.rows {
      format.encode(x, columns: columns, into: weights.base, row: row, of: Self.rows)
    }
    let activations = Activations(x, rows: count, inner: columns, for: format, resources: prepared)
    let matrix = WeightMatrix(format, weights.base, rows: Self.rows, columns: columns)
    product = WeightProduct(activations, matrix, y: y)
  }

  deinit {
    x.deallocate()
    y.deallocate()
  }

  func run() {
    resources.reset()
    product.run(resources)
  }
}
