public import Tensors

/// Copies between views of equal shape and any strides.
public enum StridedCopy {
  /// Copies elements of equal type.
  public static func run(from source: TensorView, to target: TensorView) {
    if source.isContiguous, target.isContiguous {
      target.base.copyMemory(from: source.base, byteCount: source.byteCount)
      return
    }
    switch source.element.byteCount {
    case 8: copy(source, target, as: UInt64.self)
    case 4: copy(source, target, as: UInt32.self)
    case 2: copy(source, target, as: UInt16.self)
    default: copy(source, target, as: UInt8.self)
    }
  }

  private static func copy<T: BitwiseCopyable>(_ source: TensorView, _ target: TensorView, as type: T.Type) {
    let from = source.base.assumingMemoryBound(to: T.self)
    let to = target.base.assumingMemoryBound(to: T.self)
    StridedLoop(target.shape, target.strides, source.strides).forEachRow { row in
      let (count, a, b) = (row.count, to + row.offset0, from + row.offset1)
      if row.stride0 == 1, row.stride1 == 1 {
        a.update(from: b, count: count)
      } else {
        for index in 0..<count { a[index &* row.stride0] = b[index &* row.stride1] }
      }
    }
  }

  /// Copies with conversion between f32 and the narrow floats f16 and bf16, rounding to nearest even.
  public static func convert(from source: TensorView, to target: TensorView) {
    if source.element == target.element { return run(from: source, to: target) }
    StridedLoop(target.shape, target.strides, source.strides).forEachRow { row in
      for index in 0..<row.count {
        let (to, from) = (row.offset0 &+ index &* row.stride0, row.offset1 &+ index &* row.stride1)
        let value: Float =
          switch source.element {
          case .f16: Float(source.base.assumingMemoryBound(to: Float16.self)[from])
          case .bf16: NumberCoding.float(bf16: source.base.assumingMemoryBound(to: UInt16.self)[from])
          default: source.base.assumingMemoryBound(to: Float.self)[from]
          }
        switch target.element {
        case .f16: target.base.assumingMemoryBound(to: Float16.self)[to] = Float16(value)
        case .bf16: target.base.assumingMemoryBound(to: UInt16.self)[to] = NumberCoding.bf16(value)
        default: target.base.assumingMemoryBound(to: Float.self)[to] = value
        }
      }
    }
  }
}
