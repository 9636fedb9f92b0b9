public import Tensors

/// Multidirectional broadcasting (ONNX "Broadcasting in ONNX", NumPy rules).
public enum Broadcasting {
  /// The common shape of operands: aligned at the last axis, extents equal or 1.
  public static func shape(_ a: Extents, _ b: Extents) throws(KernelError) -> Extents {
    var result = Extents(repeating: 1, count: max(a.count, b.count))
    for axis in 0..<result.count {
      let x = axis < result.count - a.count ? 1 : a[axis - (result.count - a.count)]
      let y = axis < result.count - b.count ? 1 : b[axis - (result.count - b.count)]
      guard x == y || x == 1 || y == 1 else {
        throw .invalid("shapes \(a.array) and \(b.array) do not broadcast: axis \(axis) is \(x) and \(y)")
      }
      result[axis] = x == 1 ? y : x
    }
    try result.checkSize(of: .u8)
    return result
  }

  /// The strides with which `view` is read as if it had `shape`: 0 along repeated axes.
  public static func strides(of view: TensorView, as shape: Extents) -> Extents {
    var strides = Extents(repeating: 0, count: shape.count)
    let lead = shape.count - view.rank
    for axis in 0..<view.rank { strides[lead + axis] = view.shape[axis] == 1 ? 0 : view.strides[axis] }
    return strides
  }
}
