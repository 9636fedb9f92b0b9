import Tensors

/// A tensor as dense rows along some of its axes: `rows[outer, inner]`.
///
/// Axes that stay come first, in order; the axes of the rows come last, in order. Operands that already lie
/// that way are used in place, others are copied to scratch memory.
struct RowView {
  let base: UnsafeMutableRawPointer
  /// Number of rows and elements per row.
  let count: Int, length: Int
  /// Extents with the row axes last.
  private let shape: Extents

  init(_ view: TensorView, axes: [Int], _ call: KernelCall) {
    let permuted = Self.permuted(view, axes: axes)
    shape = permuted.shape
    length = axes.reduce(1) { $0 &* view.shape[$1] }
    count = (0..<view.rank).reduce(1) { axes.contains($1) ? $0 : $0 &* view.shape[$1] }
    base = call.contiguous(permuted).base
  }

  /// Rows over the axes from `axis` on.
  init(_ view: TensorView, from axis: Int, _ call: KernelCall) {
    shape = view.shape
    length = view.shape.product(axis..<view.rank)
    count = view.shape.product(0..<axis)
    base = call.contiguous(view).base
  }

  /// The view with `axes` moved to the end.
  static func permuted(_ view: TensorView, axes: [Int]) -> TensorView {
    let order = (0..<view.rank).filter { !axes.contains($0) } + axes
    return TensorView(
      view.base, view.element, Extents(order.map { view.shape[$0] }),
      strides: Extents(order.map { view.strides[$0] }))
  }

  func row<T: BitwiseCopyable>(_ index: Int, _ type: T.Type = T.self) -> UnsafePointer<T> {
    UnsafePointer(base.assumingMemoryBound(to: T.self) + index &* length)
  }
}

/// Dense rows that become a tensor whose row axes are `axes`.
struct RowResult {
  private let rows: TensorView
  private let target: TensorView
  private let length: Int

  /// - Parameter result: dense memory of the final tensor.
  init(_ result: TensorView, axes: [Int], _ call: KernelCall) {
    target = RowView.permuted(result, axes: axes)
    length = axes.reduce(1) { $0 &* result.shape[$1] }
    let base = target.isContiguous ? target.base : call.resources.scratch(byteCount: result.byteCount)
    rows = TensorView(base, result.element, target.shape)
  }

  func row<T: BitwiseCopyable>(_ index: Int, _ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
    rows.base.assumingMemoryBound(to: T.self) + index &* length
  }

  /// Moves the rows to their places; call it when all are written.
  func store() {
    if rows.base != target.base { StridedCopy.run(from: rows, to: target) }
  }
}
