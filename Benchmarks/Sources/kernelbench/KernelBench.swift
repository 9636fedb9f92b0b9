import Kernels

/// Speed of kernels beside the roof of this machine: `kernelbench [threads ...]`, 1 and 2 threads by default.
///
/// Every figure is the best of several turns, and the roof is measured in the same turns, as bandwidth
/// wanders.
@main
enum KernelBench {
  static func main() {
    let machine = MachineDescription.current
    print(
      machine.processorName, "-", machine.processorCount, "processors,",
      machine.features.names.joined(separator: " "))
    if let library = machine.openBLAS { print("OpenBLAS core \(library.core): \(library.reason)") }
    for (family, kernel) in machine.kernels { print("  \(padded(family, 18)) \(kernel)") }
    let threads = CommandLine.arguments.dropFirst().compactMap { Int($0) }
    for count in threads.isEmpty ? [1, 2] : threads {
      let pool = ThreadPool(threadCount: count)
      print("\n== \(count) thread\(count == 1 ? "" : "s")")
      HireBench.run(pool)
      FeedForwardBench.run(pool)
      FormatBench.run(pool)
      skinnyProducts(pool)
      tallProducts(pool)
    }
    MicroKernelBench.run()
  }

  // MARK: Products of few rows

  private static func skinnyProducts(_ pool: ThreadPool) {
    print(
      "linear, weights [N, K]: GB/s of weights (share of the read roof), GFLOP/s, time over that of one row"
    )
    for (columns, inner, turns) in [(131072, 640, 7), (32768, 2048, 7), (2048, 640, 200), (640, 2048, 200)] {
      for isTransposed in [false, true] {
        let counts = isTransposed ? [1, 8] : [1, 2, 4, 8, 16]
        let work = Product(rows: 16, inner: inner, columns: columns, isTransposed: isTransposed)
        let roof = ReadBandwidth(byteCount: columns * inner * 4)
        var read = 0.0
        var best = [Double](repeating: .infinity, count: counts.count)
        for _ in 0..<turns {
          read = max(read, roof.measure(pool))
          for (index, rows) in counts.enumerated() {
            best[index] = min(best[index], work.seconds(rows, pool))
          }
        }
        let bytes = Double(columns * inner * 4)
        let figures = zip(counts, best).map { rows, seconds in
          let flops = bytes / 2 * Double(rows) / seconds
          return "S\(rows) \(fixed(bytes / seconds / 1e9, 1)) (\(fixed(bytes / seconds / read * 100, 0))%) "
            + "\(fixed(flops / 1e9, 0)) x\(fixed(seconds / best[0], 2))"
        }
        let name = isTransposed ? "[\(inner), \(columns)] as exported" : "[\(columns), \(inner)]"
        print("  \(padded(name, 26)) read \(fixed(read / 1e9, 1)) | \(figures.joined(separator: " | "))")
      }
    }
  }

  // MARK: Products of many rows

  private static func tallProducts(_ pool: ThreadPool) {
    print("linear, GFLOP/s: tiles over the pool; OpenBLAS with as many threads of its own")
    for (rows, columns, inner) in [
      (64, 2048, 640), (512, 640, 640), (512, 2048, 640), (512, 640, 2048), (1024, 1024, 1024),
    ] {
      let work = Product(rows: rows, inner: inner, columns: columns, isTransposed: false)
      var (ours, theirs) = (Double.infinity, Double.infinity)
      for _ in 0..<12 {
        ours = min(ours, work.seconds(rows, pool))
        guard let library = OpenBLAS.shared else { continue }
        theirs = min(theirs, library.withThreads(pool.threadCount) { work.seconds(rows, library) })
      }
      let flops = 2 * Double(rows * columns * inner)
      print(
        "  \(padded("\(rows) x [\(columns), \(inner)]", 26)) \(padded(fixed(flops / ours / 1e9, 0), 8))",
        fixed(flops / theirs / 1e9, 0))
    }
  }
}

/// Operands of a product, filled with small numbers.
private final class Product {
  let inner: Int, columns: Int
  let isTransposed: Bool
  private let x, w, y: UnsafeMutablePointer<Float>

  init(rows: Int, inner: Int, columns: Int, isTransposed: Bool) {
    (self.inner, self.columns, self.isTransposed) = (inner, columns, isTransposed)
    x = .allocate(capacity: rows * inner)
    w = .allocate(capacity: columns * inner)
    y = .allocate(capacity: rows * columns)
    for index in 0..<rows * inner { x[index] = Float(index % 7) - 3 }
    for index in 0..<columns * inner { w[index] = Float(index % 5) - 2 }
    y.initialize(repeating: 0, count: rows * columns)
  }

  deinit {
    x.deallocate()
    w.deallocate()
    y.deallocate()
  }

  func seconds(_ rows: Int, _ pool: ThreadPool) -> Double {
    let product = LinearProduct(
      rows: rows, inner: inner, columns: columns, x: x, w: w, y: y, isTransposed: isTransposed)
    return elapsed { product.run(pool) }
  }

  func seconds(_ rows: Int, _ library: OpenBLAS) -> Double {
    elapsed {
      library.product(m: rows, n: columns, k: inner, x, inner, w, inner, transposed: false, y, columns)
    }
  }
}

func elapsed(_ body: () -> Void) -> Double {
  let start = ContinuousClock.now
  body()
  return (ContinuousClock.now - start) / .seconds(1)
}

func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

func fixed(_ value: Double, _ digits: Int) -> String {
  let scale = digits == 0 ? 1 : (0..<digits).reduce(1) { scale, _ in scale * 10 }
  let number = Int((value * Double(scale)).rounded())
  if digits == 0 { return "\(number)" }
  let fraction = String(number % scale)
  return "\(number / scale).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}
