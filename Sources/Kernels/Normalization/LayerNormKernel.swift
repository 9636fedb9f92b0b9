import Tensors

enum NormalizationKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("layer_normalization", widensNarrowFloats: true, keepsWide: [1, 2]) {
      LayerNormKernel($0, isCentered: true)
    },
    KernelEntry("rms_normalization", widensNarrowFloats: true) { LayerNormKernel($0, isCentered: false) },
    KernelEntry("simplified_layer_normalization", widensNarrowFloats: true, keepsWide: [1]) {
      LayerNormKernel($0, isCentered: false)
    },
    ResidualNormKernel.entry,
    KernelEntry("group_normalization", widensNarrowFloats: true) { attributes throws(KernelError) in
      guard let groups = attributes.int("num_groups"), groups > 0 else {
        throw .invalid("'num_groups' is missing or not positive")
      }
      return GroupNormKernel(groups: groups, epsilon: attributes.float("epsilon", default: 1e-5))
    },
    KernelEntry("instance_normalization", widensNarrowFloats: true) {
      GroupNormKernel(groups: nil, epsilon: $0.float("epsilon", default: 1e-5))
    },
    KernelEntry("batch_normalization", widensNarrowFloats: true) { BatchNormKernel($0) },
    KernelEntry("lrn", widensNarrowFloats: true) { LocalResponseKernel($0) },
  ]
}

/// Normalizes rows over the axes from `axis` on.
///
///     centered:  y = (x - mean) * inverse * scale + bias,   inverse = 1 / sqrt(variance + epsilon)
///     else:      y = x * inverse * scale,                   inverse = 1 / sqrt(mean of squares + epsilon)
///
/// Operands: x, scale, bias (centered only, may be absent); the latter two broadcast to `x`. Results: y, then
/// mean (centered only) and inverse, f32, with the normalized axes of extent 1.
struct LayerNormKernel: RealKernel {
  let axis: Int
  let epsilon: Float
  let isCentered: Bool

  init(_ attributes: Attributes, isCentered: Bool) {
    axis = attributes.int("axis", default: -1)
    epsilon = attributes.float("epsilon", default: 1e-5)
    self.isCentered = isCentered
  }

  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let x = call[0]
    let axis = try KernelCall.axis(axis, rank: x.rank)
    let rows = RowView(x, from: axis, call)
    let scale = try RowOperand<T>(call, 1, rowShape: x.shape, axis: axis)
    let bias = isCentered && call.has(2) ? try RowOperand<T>(call, 2, rowShape: x.shape, axis: axis) : nil
    let y = call.allocate(0, x.element, x.shape).pointer(T.self)
    var statistics = x.shape
    for index in axis..<x.rank { statistics[index] = 1 }
    let means =
      isCentered && call.isUsed(result: 1) ? call.allocate(1, .f32, statistics).pointer(Float.self) : nil
    let slot = isCentered ? 2 : 1
    let inverses = call.isUsed(result: slot) ? call.allocate(slot, .f32, statistics).pointer(Float.self) : nil
    if !isCentered, inverses == nil, let y = y as? UnsafeMutablePointer<Float>,
      let scale = scale as? RowOperand<Float>
    {
      for index in 0..<rows.count {
        VectorMath.best.rmsNorm(
          rows.length, rows.row(index), scale.row(index), epsilon, y + index &* rows.length)
      }
      return
    }
    for index in 0..<rows.count {
      let (from, to) = (rows.row(index, T.self), y + index &* rows.length)
      if isCentered {
        let (mean, inverse) = RowNorm.centered(from, rows.length, epsilon: epsilon, scale.row(index), to)
        means?[index] = Float(mean)
        inverses?[index] = Float(inverse)
      } else {
        let inverse = RowNorm.uncentered(from, rows.length, epsilon: epsilon, scale.row(index), to)
        inverses?[index] = Float(inverse)
      }
      if let offsets = bias?.row(index) { for step in 0..<rows.length { to[step] += offsets[step] } }
    }
  }
}

/// An operand that is broadcast to rows: usually one row that all share.
struct RowOperand<T: BitwiseCopyable> {
  private let base: UnsafePointer<T>
  private let stride: Int

  /// - Parameter axis: the rows run over the axes of `rowShape` from this one on.
  init(_ call: KernelCall, _ operand: Int, rowShape: Extents, axis: Int) throws(KernelError) {
    var view = try call.operand(operand, like: 0)
    let inner = rowShape.from(axis)
    let isShared = view.rank <= inner.count
    let shape = isShared ? inner : rowShape
    guard try Broadcasting.shape(view.shape, shape) == shape else {
      throw .invalid(
        "operand \(operand) of shape \(view.shape.array) does not broadcast to \(rowShape.array)")
    }
    view.strides = Broadcasting.strides(of: view, as: shape)
    view.shape = shape
    base = UnsafePointer(call.contiguous(view).pointer(T.self))
    stride = isShared ? 0 : inner.product
  }

  @inline(__always) func row(_ index: Int) -> UnsafePointer<T> { base + index &* stride }
}
