import Kernels
import Tensors

/// Products with weights in every format, in the shapes of Gemma 3 270M.
enum FormatBench {
  private static let counts = [1, 2, 4, 8, 16]

  static func run(_ pool: ThreadPool) {
    print(
      "weights [N, K] in blocks: GB/s of weights (share of the read roof), time over that of one row;"
        + " 512 rows: GFLOP/s")
    for (rows, columns, turns) in [(2048, 640, 200), (640, 2048, 200), (262144, 640, 7)] {
      for format in BlockFormat.allCases.reversed() {
        let work = FormatProduct(format, rows: rows, columns: columns, most: rows > 100_000 ? 16 : 512, pool)
        let roof = ReadBandwidth(byteCount: max(work.byteCount, 1 << 20))
        var read = 0.0
        var best = [Double](repeating: .infinity, count: counts.count)
        for _ in 0..<turns {
          read = max(read, roof.measure(pool))
          for (index, count) in counts.enumerated() { best[index] = min(best[index], work.seconds(count)) }
        }
        var figures = zip(counts, best).map { count, seconds in
          let speed = Double(work.byteCount) / seconds
          return
            "S\(count) \(fixed(speed / 1e9, 1)) (\(fixed(speed / read * 100, 0))%)"
            + " x\(fixed(seconds / best[0], 2))"
        }
        if work.most == 512 {
          let seconds = (0..<8).map { _ in work.seconds(512) }.min()!
          figures.append(fixed(1024 * Double(rows * columns) / seconds / 1e9, 0))
        }
        print(
          "  \(padded("[\(rows), \(columns)]", 15)) \(padded(format.rawValue, 6))",
          "read \(fixed(read / 1e9, 1)) | \(figures.joined(separator: " | "))")
      }
    }
  }
}

/// Operands of a product with weights in a format, filled with small numbers.
private final class FormatProduct {
  let most: Int
  let byteCount: Int
  private let weights: WeightMatrix
  private let memory: TensorStorage
  private let x, y: UnsafeMutablePointer<Float>
  private let resources: Resources

  init(_ format: BlockFormat, rows: Int, columns: Int, most: Int, _ pool: ThreadPool) {
    self.most = most
    byteCount = rows * format.rowBytes(columns)
    memory = TensorStorage(byteCount: byteCount)
    // One row of weights as all: the kernels do not look at values.
    let row = (0..<columns).map { Float($0 % 31) / 15 - 1 }
    for index in 0..<rows { format.encode(row, columns: columns, into: memory.base, row: index, of: rows) }
    weights = WeightMatrix(format, memory.base, rows: rows, columns: columns)
    x = .allocate(capacity: most * columns)
    y = .allocate(capacity: most * rows)
    for index in 0..<most * columns { x[index] = Float(index % 7) - 3 }
    y.initialize(repeating: 0, count: most * rows)
    resources = Resources(pool: pool)
  }

  deinit {
    x.deallocate()
    y.deallocate()
  }

  func seconds(_ count: Int) -> Double {
    resources.reset()
    return elapsed {
      let activations = Activations(
        x, rows: count, inner: weights.columns, for: weights.format, resources: resources)
      WeightProduct(activations, weights, y: y).run(resources)
    }
  }
}
