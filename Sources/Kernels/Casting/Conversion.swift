import Tensors

/// Conversion of elements between any two types.
///
/// - Floats to floats round to nearest even and overflow to infinity; 8-bit floats overflow to their largest
///   value when saturating, else to infinity or NaN.
/// - Floats to integers truncate toward zero and saturate, NaN is 0; to integers of less than 8 bits, finite
///   ones lose their high bits. Integers to integers lose their high bits.
/// - Anything but zero is a true `bool`; `bool` becomes 0 or 1.
enum Conversion {
  /// How values that the target cannot hold are brought to one that it can.
  struct Rounding: Sendable {
    enum ScaleMode: String { case up, down, nearest }
    /// For 8-bit floats: beyond the largest value, that value.
    var saturates = true
    /// For `f8e8m0`, which holds powers of two only.
    var scaleMode = ScaleMode.up

    init() {}

    init(_ attributes: Attributes) throws(KernelError) {
      let name = attributes.string("round_mode", default: "up")
      guard let mode = ScaleMode(rawValue: name) else {
        throw .invalid("'round_mode' is '\(name)', accepted are 'up', 'down' and 'nearest'")
      }
      scaleMode = mode
      saturates = attributes.bool("saturate", default: true)
    }
  }

  /// - Parameter target: dense.
  static func run(from source: TensorView, to target: TensorView, _ rounding: Rounding = Rounding()) {
    if source.element == target.element { return StridedCopy.run(from: source, to: target) }
    if fastPath(source, target) { return }
    StridedLoop(target.shape, target.strides, source.strides).forEachRow { row in
      for index in 0..<row.count {
        element(
          source, row.offset1 &+ index &* row.stride1, target, row.offset0 &+ index &* row.stride0, rounding)
      }
    }
  }

  private static func element(
    _ source: TensorView, _ from: Int, _ target: TensorView, _ to: Int, _ rounding: Rounding
  ) {
    switch (source.element, target.element) {
    case (.i64, .f32):
      target.base.assumingMemoryBound(to: Float.self)[to] = Float(load(source, from, as: Int64.self))
    case (.u64, .f32):
      target.base.assumingMemoryBound(to: Float.self)[to] = Float(load(source, from, as: UInt64.self))
    case (.i64, let element) where !element.isFloatingPoint,
      (.u64, let element) where !element.isFloatingPoint:
      NumberCoding.store(integer: load(source, from, as: Int64.self), target.base, element, to)
    case (let float, let element) where float.isFloatingPoint && element.isInteger:
      let value = NumberCoding.load(source.base, float, from)
      let wraps = element.packedBitCount < 8 && value.isFinite
      NumberCoding.store(
        integer: wraps ? NumberCoding.integer(value) : saturated(value, element), target.base, element, to)
    case (_, let element):
      let value = NumberCoding.load(source.base, source.element, from)
      guard element.isFloatingPoint, element.byteCount == 1 else {
        NumberCoding.store(value, target.base, element, to)
        return
      }
      let code =
        element == .f8e8m0
        ? powerOfTwo(Float(value), rounding)
        : NumberCoding.small(Float(value), element, saturate: rounding.saturates)
      target.base.storeBytes(of: code, toByteOffset: to, as: UInt8.self)
    }
  }

  /// The nearest integer toward zero that `element` holds; NaN is 0. For `u64`, the bits of it.
  private static func saturated(_ value: Double, _ element: ElementType) -> Int64 {
    if value.isNaN { return 0 }
    let isUnsigned = !element.isSignedInteger
    if element == .u64 {
      return Int64(bitPattern: value >= 0x1p64 ? .max : UInt64(max(0, value)))
    }
    let bits = element.packedBitCount - (isUnsigned ? 0 : 1)
    let largest = Int64.max >> Int64(63 - bits)
    let smallest = isUnsigned ? 0 : -largest - 1
    if value >= Double(largest) { return largest }
    return value <= Double(smallest) ? smallest : Int64(value)
  }

  @inline(__always)
  private static func load<T: BitwiseCopyable>(_ source: TensorView, _ index: Int, as type: T.Type) -> T {
    source.base.assumingMemoryBound(to: T.self)[index]
  }

  /// The code of a power of two: the exponent, rounded as asked; the sign is ignored.
  private static func powerOfTwo(_ value: Float, _ rounding: Rounding) -> UInt8 {
    let bits = value.bitPattern
    let exponent = Int(bits >> 23 & 0xFF)
    if exponent == 0xFF { return 0xFF }
    let fraction = bits & 0x7F_FFFF
    let roundsUp =
      switch rounding.scaleMode {
      case .up: fraction > 0
      case .down: false
      case .nearest: fraction > 0x40_0000 || (fraction == 0x40_0000 && exponent > 0)
      }
    return UInt8(min(exponent + (roundsUp ? 1 : 0), rounding.saturates ? 0xFE : 0xFF))
  }

  /// Conversions that inference runs often, as loops over machine types.
  private static func fastPath(_ source: TensorView, _ target: TensorView) -> Bool {
    switch (source.element, target.element) {
    case (.f32, .f16), (.f32, .bf16), (.f16, .f32), (.bf16, .f32):
      StridedCopy.convert(from: source, to: target)
    case (.i64, .i32): map(source, target) { (x: Int64) in Int32(truncatingIfNeeded: x) }
    case (.i32, .i64): map(source, target) { (x: Int32) in Int64(x) }
    case (.i64, .bool): map(source, target) { (x: Int64) in x == 0 ? 0 : 1 as UInt8 }
    case (.i32, .f32): map(source, target) { (x: Int32) in Float(x) }
    case (.bool, .f32), (.u8, .f32): map(source, target) { (x: UInt8) in Float(x) }
    case (.i8, .f32), (.i4, .f32): map(source, target) { (x: Int8) in Float(x) }
    case (.f32, .f64): map(source, target) { (x: Float) in Double(x) }
    case (.f64, .f32): map(source, target) { (x: Double) in Float(x) }
    default: return false
    }
    return true
  }

  @inline(__always)
  private static func map<T: BitwiseCopyable, U: BitwiseCopyable>(
    _ source: TensorView, _ target: TensorView, _ function: (T) -> U
  ) {
    let (from, to) = (
      source.base.assumingMemoryBound(to: T.self), target.base.assumingMemoryBound(to: U.self)
    )
    StridedLoop(target.shape, target.strides, source.strides).forEachRow { row in
      for index in 0..<row.count {
        to[row.offset0 &+ index &* row.stride0] = function(from[row.offset1 &+ index &* row.stride1])
      }
    }
  }
}
