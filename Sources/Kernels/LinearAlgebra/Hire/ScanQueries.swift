import CKernels
import Tensors

/// Rows in int8, as scans of small codes take them.
struct ScanQueries {
  private let panels: ScanPanels
  private let q: UnsafeMutablePointer<Int8>
  private let scales: UnsafeMutablePointer<Float>
  private let sums: UnsafeMutablePointer<Int32>

  /// - Parameters:
  ///   - z: rows of numbers, of which the first `panels.rank` are taken.
  ///   - stride: elements from one row to the next.
  init(_ z: UnsafePointer<Float>, rows: Int, stride: Int, panels: ScanPanels, _ resources: Resources) {
    func scratch<T>(_ count: Int, _ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
      resources.scratch(byteCount: count * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: count)
    }
    self.panels = panels
    (q, scales, sums) = (scratch(rows * panels.rank), scratch(rows), scratch(rows))
    for row in 0..<rows {
      (scales[row], sums[row]) = Self.quantize(
        z + row * stride, panels.rank, limit: panels.bits == 4 ? 127 : 63, into: q + row * panels.rank)
    }
  }

  /// Scores of `count` panels for some rows, at most `CK_SCAN_ROWS`.
  ///
  /// - Parameter scores: a row of `stride` numbers for each row.
  func scan(
    _ rows: Range<Int>, _ codes: UnsafeRawPointer, panels count: Int, _ scores: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    let row = rows.lowerBound
    var call = ck_scan(
      rows: rows.count, rank: panels.rank, panels: count, codes: codes, q: q + row * panels.rank,
      scales: scales + row, sums: sums + row, y: scores, q_stride: panels.rank, y_stride: stride)
    VectorMath.best.scan(bits: panels.bits)(&call)
  }

  /// `q = round(z / scale)` with `scale = max |z| / limit`, and the sum of q. Rows that hold a NaN or an
  /// infinity have such a scale.
  private static func quantize(
    _ z: UnsafePointer<Float>, _ count: Int, limit: Float, into q: UnsafeMutablePointer<Int8>
  ) -> (scale: Float, sum: Int32) {
    var largest: Float = 0
    for k in 0..<count {
      guard z[k].isFinite else {
        largest = z[k]
        break
      }
      largest = max(largest, z[k].magnitude)
    }
    // Below this limit / largest is infinite.
    guard largest.isFinite, largest >= 0x1p-119 else {
      q.update(repeating: 0, count: count)
      return (largest.isFinite ? 0 : largest, 0)
    }
    let factor = limit / largest
    var sum: Int32 = 0
    for k in 0..<count {
      q[k] = Int8((z[k] * factor).rounded(.toNearestOrEven))
      sum += Int32(q[k])
    }
    return (largest / limit, sum)
  }
}
