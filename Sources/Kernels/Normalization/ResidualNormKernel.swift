import Tensors

/// A branch added to the residual stream and the sum normalized, row by row over the last axis.
///
///     sum = residual + branch, with branch_scale residual + rms_norm(branch) * branch_scale
///     y   = rms_norm(sum) * scale + bias, or (sum - mean) / deviation * scale + bias when centered
///
/// Operands: residual, branch, scale, bias, branch_scale; results: sum, y.
struct ResidualNormKernel: Kernel {
  let epsilon: Float
  let branchEpsilon: Float
  let isCentered: Bool

  static let entry = KernelEntry("residual_normalization", widensNarrowFloats: true) {
    ResidualNormKernel(
      epsilon: $0.float("epsilon", default: 1e-5), branchEpsilon: $0.float("branch_epsilon", default: 1e-5),
      isCentered: $0.bool("centered", default: false))
  }

  /// Numbers that one thread computes before another one is worth its dispatch.
  private static let pieceCount = 16 << 10

  func run(_ call: KernelCall) throws(KernelError) {
    let (residual, branch) = (call.contiguous(0), call.contiguous(1))
    guard residual.rank >= 1, branch.shape == residual.shape else {
      throw .invalid(
        "the branch is \(branch.shape.array), accepted is the shape of the residual, \(residual.shape.array)"
      )
    }
    guard residual.element == .f32, branch.element == .f32 else {
      throw .element(residual.element, of: "residual", accepted: "f16, bf16 and f32")
    }
    let width = residual.shape[residual.rank - 1]
    let scale = try call.row(2, count: width)
    let bias = try call.optionalRow(3, count: width)
    let branchScale = try call.optionalRow(4, count: width)
    let y = call.isUsed(result: 1) ? call.allocate(1, .f32, residual.shape) : nil
    // A sum that nobody reads is y before it is normalized.
    let sum = call.isUsed(result: 0) || y == nil ? call.allocate(0, .f32, residual.shape) : y!
    let rows = width == 0 ? 0 : residual.elementCount / width
    let piece = max(1, Self.pieceCount / max(1, width))
    call.resources.pool.forEach((rows + piece - 1) / piece) { index in
      for row in index * piece..<min(rows, (index + 1) * piece) {
        let start = row * width
        let to = sum.pointer(Float.self) + start
        add(residual.pointer() + start, branch.pointer() + start, branchScale, to, width)
        if let y { normalize(to, scale, bias, y.pointer() + start, width) }
      }
    }
  }

  private func add(
    _ residual: UnsafePointer<Float>, _ branch: UnsafePointer<Float>, _ scale: UnsafePointer<Float>?,
    _ sum: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var branch = branch
    if let scale {
      VectorMath.best.rmsNorm(count, branch, scale, branchEpsilon, sum)
      branch = UnsafePointer(sum)
    }
    for index in 0..<count { sum[index] = residual[index] + branch[index] }
  }

  /// `y` may be `sum`.
  private func normalize(
    _ sum: UnsafePointer<Float>, _ scale: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    if isCentered {
      RowNorm.centered(sum, count, epsilon: epsilon, scale, y)
    } else {
      VectorMath.best.rmsNorm(count, sum, scale, epsilon, y)
    }
    if let bias { for index in 0..<count { y[index] += bias[index] } }
  }
}
