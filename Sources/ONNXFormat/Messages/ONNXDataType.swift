public import Tensors

/// `TensorProto.DataType`: the number that files carry.
public struct ONNXDataType: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  public var rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// ONNX's names; the index is the number.
  private static let names = [
    "UNDEFINED", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16",
    "DOUBLE",
    "UINT32", "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2",
    "FLOAT8E5M2FNUZ", "UINT4", "INT4", "FLOAT4E2M1", "FLOAT8E8M0", "UINT2", "INT2", "FLOAT6E2M3",
    "FLOAT6E3M2",
  ]

  private static let elements: [Int32: ElementType] = [
    1: .f32, 2: .u8, 3: .i8, 4: .u16, 5: .i16, 6: .i32, 7: .i64, 9: .bool, 10: .f16, 11: .f64, 12: .u32,
    13: .u64,
    16: .bf16, 17: .f8e4m3fn, 18: .f8e4m3fnuz, 19: .f8e5m2, 20: .f8e5m2fnuz, 21: .u4, 22: .i4, 23: .f4e2m1,
    24: .f8e8m0, 25: .u2, 26: .i2,
  ]

  private static let numbers = Dictionary(uniqueKeysWithValues: elements.map { ($0.value, $0.key) })

  public init(_ element: ElementType) { rawValue = Self.numbers[element] ?? 0 }

  /// The element type, nil for those that tensors here cannot hold: strings, complex numbers, 6-bit floats.
  public var element: ElementType? { Self.elements[rawValue] }

  /// `FLOAT16`, or the number when it has no name.
  public var description: String {
    Self.names.indices.contains(Int(rawValue)) ? Self.names[Int(rawValue)] : "data type \(rawValue)"
  }

  /// The element types that can be decoded, for messages.
  static let accepted =
    "FLOAT, DOUBLE, FLOAT16, BFLOAT16, FLOAT8*, FLOAT4E2M1, INT2 to INT64, UINT2 to UINT64 and BOOL"
}
