/// Conversion between element types and `Float`/`Double`, one element at a time.
public enum NumberCoding {
  /// Element `index` of an array of `element`s.
  public static func load(_ base: UnsafeRawPointer, _ element: ElementType, _ index: Int) -> Double {
    switch element {
    case .f32: Double(base.load(fromByteOffset: index * 4, as: Float.self))
    case .f64: base.load(fromByteOffset: index * 8, as: Double.self)
    case .f16: Double(Float16(bitPattern: base.load(fromByteOffset: index * 2, as: UInt16.self)))
    case .bf16: Double(float(bf16: base.load(fromByteOffset: index * 2, as: UInt16.self)))
    case .i64: Double(base.load(fromByteOffset: index * 8, as: Int64.self))
    case .u64: Double(base.load(fromByteOffset: index * 8, as: UInt64.self))
    case .i32: Double(base.load(fromByteOffset: index * 4, as: Int32.self))
    case .u32: Double(base.load(fromByteOffset: index * 4, as: UInt32.self))
    case .i16: Double(base.load(fromByteOffset: index * 2, as: Int16.self))
    case .u16: Double(base.load(fromByteOffset: index * 2, as: UInt16.self))
    case .i8, .i4, .i2: Double(base.load(fromByteOffset: index, as: Int8.self))
    case .u8, .u4, .u2, .bool: Double(base.load(fromByteOffset: index, as: UInt8.self))
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1:
      Double(float(small: base.load(fromByteOffset: index, as: UInt8.self), element))
    }
  }

  public static func float(bf16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// Rounds to nearest, ties to even; NaN stays NaN.
  public static func bf16(_ value: Float) -> UInt16 {
    if value.isNaN { return UInt16(truncatingIfNeeded: value.bitPattern >> 16) | 0x40 }
    let bits = value.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}
