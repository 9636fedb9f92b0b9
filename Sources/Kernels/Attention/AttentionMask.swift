import Tensors

/// A mask broadcast to the scores; its last axis may be shorter, what is missing is not allowed.
struct AttentionMask: Sendable {
  let view: TensorView?
  let isBoolean: Bool
  let count: Int

  init(_ mask: TensorView?, as scores: Extents, element: ElementType) throws(KernelError) {
    guard let mask else {
      view = nil
      isBoolean = false
      count = scores[3]
      return
    }
    guard mask.element == .bool || mask.element == element else {
      throw .element(mask.element, of: "mask", accepted: "bool and the type of q, \(element)")
    }
    guard mask.rank >= 1, mask.rank <= 4, mask.shape[mask.rank - 1] <= scores[3] else {
      throw .invalid("mask \(mask.shape.array) does not broadcast to scores \(scores.array)")
    }
    var shape = scores
    shape[3] = mask.shape[mask.rank - 1]
    for axis in 0..<(mask.rank - 1) {
      let target = scores[axis + 4 - mask.rank]
      guard mask.shape[axis] == 1 || mask.shape[axis] == target else {
        throw .invalid("mask \(mask.shape.array) does not broadcast to scores \(scores.array)")
      }
    }
    view = TensorView(mask.base, mask.element, shape, strides: Broadcasting.strides(of: mask, as: shape))
    isBoolean = mask.element == .bool
    count = shape[3]
  }

  /// Adds the mask to scores of keys; those that it forbids become minus infinity whatever their score.
  func add<T: AttentionScalar>(
    to scores: UnsafeMutablePointer<T>, _ batch: Int, _ head: Int, _ row: Int, _ keys: Range<Int>
  ) {
    guard let view else { return }
    let step = view.strides[3]
    if isBoolean {
      let allowed: UnsafeMutablePointer<UInt8> = view.row(batch, head, row)
      for key in keys where allowed[key * step] == 0 { scores[key] = -.infinity }
    } else {
      let bias: UnsafeMutablePointer<T> = view.row(batch, head, row)
      for key in keys {
        let value = bias[key * step]
        scores[key] = value == -.infinity ? value : scores[key] + value
      }
    }
  }
}
