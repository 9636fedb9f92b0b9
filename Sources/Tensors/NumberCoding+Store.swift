extension NumberCoding {
  /// Writes element `index` of an array of `element`s.
  ///
  /// Floats round to nearest even, 8-bit and 4-bit ones saturate; integers are truncated toward zero and lose
  /// their high bits; anything but zero is a true `bool`.
  public static func store(
    _ value: Double, _ base: UnsafeMutableRawPointer, _ element: ElementType, _ index: Int
  ) {
    switch element {
    case .f32: base.storeBytes(of: Float(value), toByteOffset: index * 4, as: Float.self)
    case .f64: base.storeBytes(of: value, toByteOffset: index * 8, as: Double.self)
    case .f16: base.storeBytes(of: Float16(value).bitPattern, toByteOffset: index * 2, as: UInt16.self)
    case .bf16: base.storeBytes(of: bf16(Float(value)), toByteOffset: index * 2, as: UInt16.self)
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1:
      base.storeBytes(of: small(Float(value), element), toByteOffset: index, as: UInt8.self)
    case .bool: base.storeBytes(of: value == 0 ? 0 : 1, toByteOffset: index, as: UInt8.self)
    default: store(integer: integer(value), base, element, index)
    }
  }

  /// Writes element `index` of an array of integers; high bits that do not fit are lost.
  public static func store(
    integer value: Int64, _ base: UnsafeMutableRawPointer, _ element: ElementType, _ index: Int
  ) {
    switch element {
    case .i64, .u64: base.storeBytes(of: value, toByteOffset: index * 8, as: Int64.self)
    case .i32, .u32:
      base.storeBytes(of: Int32(truncatingIfNeeded: value), toByteOffset: index * 4, as: Int32.self)
    case .i16, .u16:
      base.storeBytes(of: Int16(truncatingIfNeeded: value), toByteOffset: index * 2, as: Int16.self)
    case .i8, .u8: base.storeBytes(of: Int8(truncatingIfNeeded: value), toByteOffset: index, as: Int8.self)
    case .u4: base.storeBytes(of: UInt8(truncatingIfNeeded: value & 15), toByteOffset: index, as: UInt8.self)
    case .u2: base.storeBytes(of: UInt8(truncatingIfNeeded: value & 3), toByteOffset: index, as: UInt8.self)
    case .i4:
      base.storeBytes(of: Int8(truncatingIfNeeded: (value << 60) >> 60), toByteOffset: index, as: Int8.self)
    case .i2:
      base.storeBytes(of: Int8(truncatingIfNeeded: (value << 62) >> 62), toByteOffset: index, as: Int8.self)
    case .bool: base.storeBytes(of: value == 0 ? 0 : 1, toByteOffset: index, as: UInt8.self)
    default: store(Double(value), base, element, index)
    }
  }

  /// The value truncated toward zero; values beyond 64 bits keep their sign, NaN is 0.
  public static func integer(_ value: Double) -> Int64 {
    if value.isNaN { return 0 }
    if value >= 0x1p63 { return value < 0x1p64 ? Int64(bitPattern: UInt64(value)) : .max }
    return value < -0x1p63 ? .min : Int64(value)
  }
}
