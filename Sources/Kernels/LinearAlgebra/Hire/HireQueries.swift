import CKernels
import Tensors

/// Rows of hidden states in the forms in which the stages of a HiRE head meet them.
struct HireQueries {
  /// For the exact rows.
  let x: Activations
  /// All coordinates of the predictor, for its second stage.
  let z: Activations
  /// The first coordinates in int8, one scale per row.
  let q: UnsafeMutablePointer<Int8>
  let scales: UnsafeMutablePointer<Float>
  let sums: UnsafeMutablePointer<Int32>

  /// - Parameters:
  ///   - projection: [R, K].
  ///   - rowsFormat: nil without a second stage.
  ///   - format: that of the exact rows.
  init(
    _ x: UnsafePointer<Float>, rows: Int, inner: Int, stride: Int, projection: TensorView,
    rowsFormat: BlockFormat?, panels: ScanPanels, for format: BlockFormat, _ resources: Resources
  ) {
    func scratch<T>(_ count: Int, _ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
      resources.scratch(byteCount: count * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: count)
    }
    self.x = Activations(x, rows: rows, inner: inner, stride: stride, for: format, resources: resources)
    let rank = projection.shape[0]
    let z: UnsafeMutablePointer<Float> = scratch(rows * rank)
    // Blocks of rows, in which a row has the same bits as alone.
    for first in Swift.stride(from: 0, to: rows, by: LinearProduct.blockRows) {
      var product = LinearProduct(
        rows: min(LinearProduct.blockRows, rows - first), inner: inner, columns: rank, x: x + first * stride,
        w: projection.pointer(), y: z + first * rank)
      product.xStride = stride
      product.run(resources.pool)
    }
    self.z = Activations(
      z, rows: rows, inner: rank, for: rowsFormat ?? .f32, resources: resources)
    (q, scales, sums) = (scratch(rows * panels.rank), scratch(rows), scratch(rows))
    for row in 0..<rows {
      (scales[row], sums[row]) = Self.quantize(
        z + row * rank, panels.rank, limit: panels.bits == 4 ? 127 : 63, into: q + row * panels.rank)
    }
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
