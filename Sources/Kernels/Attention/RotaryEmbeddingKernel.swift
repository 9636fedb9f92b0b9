import Tensors

/// Rotates pairs of the first `d` entries of each head by angles that depend on the position.
///
///     a' = cos * a - sin * b        b' = sin * a + cos * b
///
/// Pairs are entries `i` and `i + d/2`, or `2i` and `2i + 1` when interleaved; the rest of the head stays.
/// Operands: x `[B, S, heads * size]` or `[B, heads, S, size]`; cos and sin `[B or 1, S, d/2]`, or tables
/// `[positions, d/2]` with position ids `[B or 1, S]`.
struct RotaryEmbeddingKernel: Kernel {
  let isInterleaved: Bool
  let rotated: Int
  let headCount: Int

  static let entry = KernelEntry("rotary_embedding", widensNarrowFloats: true) {
    RotaryEmbeddingKernel(
      isInterleaved: $0.bool("interleaved", default: false),
      rotated: $0.int("rotary_embedding_dim", default: 0),
      headCount: $0.int("num_heads", default: 0))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    switch call[0].element {
    case .f32: try run(call, as: Float.self)
    case .f64: try run(call, as: Double.self)
    default: throw .element(call[0].element, of: "x", accepted: "f16, bf16, f32 and f64")
    }
  }

  private func run<T: BinaryFloatingPoint & BitwiseCopyable>(_ call: KernelCall, as type: T.Type)
    throws(KernelError)
  {
    let y = call.allocate(0, call[0].element, call[0].shape)
    let (from, to) = (try heads(call[0]), try heads(y))
    let (batch, rows, count, size) = (from.shape[0], from.shape[1], from.shape[2], from.shape[3])
    let width = rotated == 0 ? size : rotated
    let (cosines, sines) = (call.contiguous(1), call.contiguous(2))
    guard width <= size, width % 2 == 0, cosines.rank >= 2, cosines.shape == sines.shape,
      cosines.element == from.element, sines.element == from.element,
      cosines.shape[cosines.rank - 1] == width / 2
    else {
      throw .invalid(
        "cos \(cosines.shape.array) and sin \(sines.shape.array) must have \(width / 2) columns"
          + " for x \(call[0].shape.array)"
      )
    }
    let ids = call.has(3) ? try call.integerBuffer(3) : nil
    let angleRows = ids?.count ?? cosines.elementCount / max(1, width / 2)
    guard ids != nil || cosines.rank == 3, angleRows == batch * rows || angleRows == rows else {
      throw .invalid("there are \(angleRows) rows of angles for \(batch) x \(rows) positions")
    }
    let (cosBase, sinBase) = (
      cosines.base.assumingMemoryBound(to: T.self), sines.base.assumingMemoryBound(to: T.self)
    )
    let (x, z) = (from.base.assumingMemoryBound(to: T.self), to.base.assumingMemoryBound(to: T.self))
    let (step, half) = (from.strides[3], width / 2)
    for entry in 0..<batch {
      for row in 0..<rows {
        var place = angleRows == rows ? row : entry * rows + row
        if let ids { place = try resolveIndex(ids[place], cosines.shape[0]) }
        let (cos, sin) = (cosBase + place * half, sinBase + place * half)
        for head in 0..<count {
          let source = x + (entry * from.strides[0] + row * from.strides[1] + head * from.strides[2])
          let target = z + (entry * to.strides[0] + row * to.strides[1] + head * to.strides[2])
          for index in 0..<half {
            let first = isInterleaved ? 2 * index : index
            let second = isInterleaved ? first + 1 : index + half
            let (a, b) = (source[first * step], source[second * step])
            target[first] = cos[index] * a - sin[index] * b
            target[second] = sin[index] * a + cos[index] * b
          }
          for index in width..<max(width, size) { target[index] = source[index * step] }
        }
      }
    }
  }

  /// A view `[B, S, heads, size]`.
  private func heads(_ x: TensorView) throws(KernelError) -> TensorView {
    switch x.rank {
    case 4:
      return TensorView(
        x.base, x.element, Extents(x.shape[0], x.shape[2], x.shape[1], x.shape[3]),
        strides: Extents(x.strides[0], x.strides[2], x.strides[1], x.strides[3]))
    case 3:
      guard headCount > 0, x.shape[2] % headCount == 0 else {
        throw .invalid("x is \(x.shape.array): 'num_heads' must be given and divide its last axis")
      }
      let size = x.shape[2] / headCount
      return TensorView(
        x.base, x.element, Extents(x.shape[0], x.shape[1], headCount, size),
        strides: Extents(x.strides[0], x.strides[1], size * x.strides[2], x.strides[2]))
    default: throw .invalid("x has rank \(x.rank), accepted are 3 and 4")
    }
  }
}
