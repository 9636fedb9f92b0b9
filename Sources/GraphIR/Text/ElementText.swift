import Tensors

/// Tensor elements as text, exactly: what is written reads back to the same bits.
///
/// Integers are decimal, booleans `true` and `false`, floats the shortest decimal that reads back, `inf`,
/// `-inf` and `nan`. A NaN with other bits than the usual ones is written `nan(0x7fc00001)`.
enum ElementText {
  static func text(_ tensor: Tensor, _ index: Int) -> String { text(bits(tensor, index), tensor.element) }

  static func text(_ value: Float) -> String { text(UInt64(value.bitPattern), .f32) }

  private static func bits(_ tensor: Tensor, _ index: Int) -> UInt64 {
    let size = tensor.element.byteCount
    return (0..<size).reduce(0) { $0 | UInt64(tensor.bytes[index * size + $1]) << UInt64(8 * $1) }
  }

  private static func text(_ bits: UInt64, _ element: ElementType) -> String {
    if element == .bool { return bits == 0 ? "false" : "true" }
    if element.isSignedInteger {
      let shift = 64 - 8 * element.byteCount
      return "\(Int64(bitPattern: bits << shift) >> shift)"
    }
    guard element.isFloatingPoint else { return "\(bits)" }
    if element == .f64 { return text(Double(bitPattern: bits), bits, element) }
    if element == .f16 { return text(Float16(bitPattern: UInt16(bits)), bits, element) }
    return text(float(bits, element), bits, element)
  }

  private static func text<T: BinaryFloatingPoint & CustomStringConvertible>(
    _ value: T, _ bits: UInt64, _ element: ElementType
  ) -> String {
    if value.isNaN, bits != self.bits(of: "nan", element) { return "nan(0x\(String(bits, radix: 16)))" }
    return value.description
  }

  private static func float(_ bits: UInt64, _ element: ElementType) -> Float {
    switch element {
    case .f32: Float(bitPattern: UInt32(bits))
    case .bf16: NumberCoding.float(bf16: UInt16(bits))
    default: NumberCoding.float(small: UInt8(bits), element)
    }
  }

  /// The bits of a number as written, or nil when it is none of `element`.
  static func bits(of text: String, _ element: ElementType) -> UInt64? {
    switch element {
    case .bool: text == "true" ? 1 : text == "false" ? 0 : nil
    case .f64: Double(text)?.bitPattern
    case .f32: Float(text).map { UInt64($0.bitPattern) }
    case .f16: Float16(text).map { UInt64($0.bitPattern) }
    case .bf16: Float(text).map { UInt64(NumberCoding.bf16($0)) }
    case _ where element.isFloatingPoint:
      Float(text).map { UInt64(NumberCoding.small($0, element, saturate: false)) }
    case _ where element.isSignedInteger: signed(text, bitCount: element.packedBitCount)
    default: unsigned(text, bitCount: element.packedBitCount)
    }
  }

  private static func signed(_ text: String, bitCount: Int) -> UInt64? {
    guard let value = Int64(text) else { return nil }
    let high = Int64.max >> Int64(64 - bitCount)
    return value <= high && value >= -high - 1 ? UInt64(bitPattern: value) : nil
  }

  private static func unsigned(_ text: String, bitCount: Int) -> UInt64? {
    guard let value = UInt64(text), value <= UInt64.max >> UInt64(64 - bitCount) else { return nil }
    return value
  }

  /// The bits that `nan(0x...)` gives, or nil when they are no NaN of `element`.
  static func nan(_ text: String, _ element: ElementType) -> UInt64? {
    guard text.hasPrefix("0x"), let bits = UInt64(text.dropFirst(2), radix: 16),
      bits <= UInt64.max >> UInt64(64 - 8 * element.byteCount)
    else { return nil }
    let isNaN: Bool
    switch element {
    case .f64: isNaN = Double(bitPattern: bits).isNaN
    case .f16: isNaN = Float16(bitPattern: UInt16(bits)).isNaN
    case _ where element.isFloatingPoint: isNaN = float(bits, element).isNaN
    default: isNaN = false
    }
    return isNaN ? bits : nil
  }

  /// A tensor of elements given by their bits.
  static func tensor(_ element: ElementType, _ shape: [Int], _ bits: [UInt64]) -> Tensor {
    let tensor = Tensor(element, shape)
    for (index, value) in bits.enumerated() {
      for byte in 0..<element.byteCount {
        let part = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))
        tensor.base.storeBytes(of: part, toByteOffset: index * element.byteCount + byte, as: UInt8.self)
      }
    }
    return tensor
  }
}
