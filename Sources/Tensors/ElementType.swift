/// The type of one tensor element.
///
/// Names are those of the text IR (`f32[S, 640]`). Types narrower than a byte occupy one byte per element in
/// memory; only files store them packed.
public enum ElementType: String, CaseIterable, Sendable, Hashable {
  case f32, f16, bf16, f64
  case f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz, f8e8m0, f4e2m1
  case i64, i32, i16, i8, i4, i2
  case u64, u32, u16, u8, u4, u2
  case bool

  /// Bytes of one element in memory.
  public var byteCount: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    default: 1
    }
  }

  /// Bits of one element in a file that packs narrow types.
  public var packedBitCount: Int {
    switch self {
    case .i4, .u4, .f4e2m1: 4
    case .i2, .u2: 2
    default: byteCount * 8
    }
  }

  public var isFloatingPoint: Bool {
    switch self {
    case .f32, .f16, .bf16, .f64, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1: true
    default: false
    }
  }

  /// Whether values are whole numbers; `bool` is not.
  public var isInteger: Bool { !isFloatingPoint && self != .bool }

  public var isSignedInteger: Bool {
    switch self {
    case .i64, .i32, .i16, .i8, .i4, .i2: true
    default: false
    }
  }
}

extension ElementType: CustomStringConvertible {
  public var description: String { rawValue }
}
