import Tensors

/// Rows of hidden states in the forms in which the stages of a HiRE head meet them.
struct HireQueries {
  /// For the exact rows.
  let x: Activations
  /// All coordinates of the predictor, for its second stage.
  let z: Activations
  /// The first coordinates, for its first stage.
  let scan: ScanQueries

  /// - Parameters:
  ///   - projection: [R, K].
  ///   - rowsFormat: nil without a second stage.
  ///   - format: that of the exact rows.
  init(
    _ x: UnsafePointer<Float>, rows: Int, inner: Int, stride: Int, projection: TensorView,
    rowsFormat: BlockFormat?, panels: ScanPanels, for format: BlockFormat, _ resources: Resources
  ) {
    self.x = Activations(x, rows: rows, inner: inner, stride: stride, for: format, resources: resources)
    let rank = projection.shape[0]
    let z = resources.scratch(byteCount: rows * rank * 4).bindMemory(to: Float.self, capacity: rows * rank)
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
    scan = ScanQueries(z, rows: rows, stride: rank, panels: panels, resources)
  }
}
