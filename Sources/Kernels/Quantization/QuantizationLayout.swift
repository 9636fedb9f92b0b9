import Tensors

/// Which scale belongs to which element: one for all, one per position of an axis, or one per block along it.
struct QuantizationLayout {
  /// Extents before, of, and after the axis, after merging.
  let outer: Int, extent: Int, inner: Int
  /// Positions of the axis that share a scale.
  let block: Int
  /// Whether every outer and inner position has scales of its own.
  let isBlocked: Bool

  init(_ shape: Extents, scale: TensorView, axis: Int, blockSize: Int) throws(KernelError) {
    if scale.elementCount == 1, blockSize == 0 {
      (outer, extent, inner, block, isBlocked) = (1, 1, shape.product, 1, false)
      return
    }
    let axis = try shape.axis(axis)
    outer = shape.product(0..<axis)
    extent = shape[axis]
    inner = shape.product((axis + 1)..<shape.count)
    isBlocked = blockSize > 0
    block = max(1, blockSize)
    var expected = shape
    expected[axis] = (extent + block - 1) / block
    let fits = isBlocked ? scale.shape == expected : scale.rank == 1 && scale.shape[0] == extent
    guard fits else {
      throw .invalid(
        "scale \(scale.shape.array) does not fit \(shape.array): accepted are a scalar, one per position"
          + " of axis \(axis), and "
          + "with 'block_size' \(expected.array)")
    }
  }

  /// Calls `body` for runs of elements that share one scale: first element, count, step, index of the scale.
  @inline(__always)
  func forEachRun(_ body: (_ start: Int, _ count: Int, _ step: Int, _ scale: Int) -> Void) {
    let blocks = (extent + block - 1) / block
    for o in 0..<outer {
      for b in 0..<blocks {
        let count = min(block, extent - b * block)
        let start = (o * extent + b * block) * inner
        if isBlocked {
          for i in 0..<inner { body(start + i, count, inner, (o * blocks + b) * inner + i) }
        } else {
          body(start, inner, 1, b)
        }
      }
    }
  }
}

extension KernelCall {
  /// Scales or zero points as f32.
  func quantizationNumbers(_ operand: Int) -> UnsafePointer<Float> {
    let view = contiguous(operand)
    if view.element == .f32 { return UnsafePointer(view.base.assumingMemoryBound(to: Float.self)) }
    let numbers = resources.scratch(byteCount: view.elementCount * 4).bindMemory(
      to: Float.self, capacity: view.elementCount)
    for index in 0..<view.elementCount {
      numbers[index] = Float(NumberCoding.load(view.base, view.element, index))
    }
    return UnsafePointer(numbers)
  }
}
