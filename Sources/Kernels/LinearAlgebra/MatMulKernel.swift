import Tensors

enum LinearAlgebraKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("matmul", widensNarrowFloats: true) { _ in MatMulKernel() },
    LinearKernel.entry,
    LMHeadKernel.entry, HireLMHeadKernel.entry, HireFeedForwardKernel.entry,
    CertifyRowsKernel.entry,
    FeedForwardKernel.entry,
    KernelEntry("gemm", widensNarrowFloats: true) { GemmKernel($0) },
    KernelEntry("matmul_integer") { _ in MatMulIntegerKernel() },
    KernelEntry("einsum", widensNarrowFloats: true) {
      EinsumKernel(equation: $0.string("equation", default: ""))
    },
    KernelEntry("det", widensNarrowFloats: true) { _ in DeterminantKernel() },
  ]
}

/// The product of stacks of matrices, NumPy rules.
///
/// Leading axes broadcast; a vector is a row on the left and a column on the right, and its axis is dropped
/// from the result.
struct MatMulKernel: NumberKernel {
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let product = try MatrixStack(call[0], try call.operand(1, like: 0))
    let y = call.allocate(0, call[0].element, product.resultShape)
    product.run(into: y, as: type, call.resources)
  }
}

/// Two stacks of matrices that are multiplied pairwise.
struct MatrixStack {
  private var a: TensorView, b: TensorView
  private let batch: Extents
  private let m: Int, n: Int, k: Int
  /// The shape without the axes that stood in for those of vectors.
  let resultShape: Extents

  /// - Throws: ``KernelError`` for a scalar, inner extents that differ, or leading axes that do not
  ///   broadcast.
  init(_ left: TensorView, _ right: TensorView) throws(KernelError) {
    guard left.rank > 0, right.rank > 0 else { throw .invalid("a scalar has no matrix product") }
    (a, b) = (left, right)
    if left.rank == 1 {
      a.shape = Extents(1, left.shape[0])
      a.strides = Extents(0, left.strides[0])
    }
    if right.rank == 1 {
      b.shape = Extents(right.shape[0], 1)
      b.strides = Extents(right.strides[0], 0)
    }
    (m, k, n) = (a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 1])
    guard k == b.shape[b.rank - 2] else {
      throw .invalid(
        "shapes \(left.shape.array) and \(right.shape.array) do not multiply: inner extents differ")
    }
    batch = try Broadcasting.shape(Self.leading(a).shape, Self.leading(b).shape)
    var shape = batch
    if left.rank > 1 { shape.append(m) }
    if right.rank > 1 { shape.append(n) }
    resultShape = shape
  }

  /// The view without its last two axes.
  private static func leading(_ view: TensorView) -> TensorView {
    let count = view.rank - 2
    return TensorView(
      view.base, view.element, Extents(view.shape.array.prefix(count)),
      strides: Extents(view.strides.array.prefix(count)))
  }

  /// Writes the products to dense memory.
  func run<T: Number>(into y: TensorView, as type: T.Type, _ resources: Resources) {
    let (left, right) = readable(resources)
    let (x, w) = (Self.matrix(left, T.self), Self.matrix(right, T.self))
    let target = y.pointer(T.self)
    // A dense stack of rows times one matrix is a single taller product.
    if Self.leading(right).elementCount == 1, left.isContiguous {
      MatrixProduct.run(
        batch.product &* m, n, k, MatrixOperand(x.base, rowStride: k), w, target, rowStride: n, resources.pool
      )
      return
    }
    let loop = StridedLoop(
      batch, Extents.rowMajorStrides(of: batch), Broadcasting.strides(of: Self.leading(left), as: batch),
      Broadcasting.strides(of: Self.leading(right), as: batch))
    loop.forEachRow { row in
      for index in 0..<row.count {
        var (p, q) = (x, w)
        p.base += row.offset1 &+ index &* row.stride1
        q.base += row.offset2 &+ index &* row.stride2
        let c = target + (row.offset0 &+ index &* row.stride0) &* m &* n
        MatrixProduct.run(m, n, k, p, q, c, rowStride: n, resources.pool)
      }
    }
  }

  /// The operands in layouts that the product reads with unit strides; others are copied to scratch memory.
  private func readable(_ resources: Resources) -> (TensorView, TensorView) {
    var (left, right) = (a, b)
    if n == 1, right.strides[right.rank - 2] != 1 { right.strides[right.rank - 1] = 1 }
    let (rowStride, columnStride) = (right.strides[right.rank - 2], right.strides[right.rank - 1])
    if rowStride != 1, columnStride != 1 { right = Self.dense(right, resources) }
    if left.strides[left.rank - 1] != 1 { left = Self.dense(left, resources) }
    return (left, right)
  }

  private static func dense(_ view: TensorView, _ resources: Resources) -> TensorView {
    let copy = TensorView(resources.scratch(byteCount: view.byteCount), view.element, view.shape)
    StridedCopy.run(from: view, to: copy)
    return copy
  }

  private static func matrix<T: Number>(_ view: TensorView, _ type: T.Type) -> MatrixOperand<T> {
    MatrixOperand(
      view.pointer(T.self), rowStride: view.strides[view.rank - 2], columnStride: view.strides[view.rank - 1])
  }
}
