/// The layout of an 8-bit or 4-bit float: sign, exponent and mantissa bits, bias, and what the top codes mean.
///
/// Source: ONNX "Float stored in 8 bits" and OCP Microscaling Formats (MX) v1.0, section 5.3.
struct SmallFloatFormat {
  var exponentBits: Int
  var mantissaBits: Int
  var bias: Int
  var hasInfinity = false
  /// "FNUZ": no negative zero; its code is the only NaN.
  var isUnsignedZero = false
  var hasNaN = true
  var isSigned = true

  init?(_ element: ElementType) {
    switch element {
    case .f8e4m3fn: (exponentBits, mantissaBits, bias) = (4, 3, 7)
    case .f8e4m3fnuz: (exponentBits, mantissaBits, bias, isUnsignedZero) = (4, 3, 8, true)
    case .f8e5m2: (exponentBits, mantissaBits, bias, hasInfinity) = (5, 2, 15, true)
    case .f8e5m2fnuz: (exponentBits, mantissaBits, bias, isUnsignedZero) = (5, 2, 16, true)
    case .f8e8m0: (exponentBits, mantissaBits, bias, isSigned) = (8, 0, 127, false)
    case .f4e2m1: (exponentBits, mantissaBits, bias, hasNaN) = (2, 1, 1, false)
    default: return nil
    }
  }

  var codeCount: Int { 1 << (exponentBits + mantissaBits) }

  /// The value of a code without its sign.
  func magnitude(_ code: Int) -> Float {
    let mantissa = code & ((1 << mantissaBits) - 1)
    let exponent = code >> mantissaBits
    if !isSigned { return code == 255 ? .nan : Float(sign: .plus, exponent: exponent - bias, significand: 1) }
    let top = (1 << exponentBits) - 1
    if hasInfinity, exponent == top { return mantissa == 0 ? .infinity : .nan }
    if hasNaN, !isUnsignedZero, !hasInfinity, code == codeCount - 1 { return .nan }
    let scale = Float(sign: .plus, exponent: max(exponent, 1) - bias - mantissaBits, significand: 1)
    return Float(exponent == 0 ? mantissa : mantissa | (1 << mantissaBits)) * scale
  }

  func decode(_ bits: UInt8) -> Float {
    if !isSigned { return magnitude(Int(bits)) }
    let signBit = UInt8(codeCount)
    if isUnsignedZero, bits == signBit { return .nan }
    let value = magnitude(Int(bits & (signBit - 1)))
    return bits & signBit != 0 ? -value : value
  }

  /// Nearest code, ties to even. Out of range: the largest finite value when `saturate`, else infinity or NaN.
  func encode(_ value: Float, saturate: Bool) -> UInt8 {
    if !isSigned { return encodeScale(value, saturate: saturate) }
    let signBit = UInt8(codeCount)
    let sign = value.sign == .minus ? signBit : 0
    let nan = isUnsignedZero ? signBit : sign | UInt8(codeCount - 1)
    if value.isNaN { return hasNaN ? nan : 0 }
    let magnitude = value.magnitude
    let largest = largestFiniteCode
    let limit = self.magnitude(largest)
    let step = limit - self.magnitude(largest - 1)
    // An infinite input saturates like any other that is too large.
    if magnitude > limit + step / 2 || (magnitude == limit + step / 2 && largest & 1 == 1) {
      if saturate || !hasNaN { return sign | UInt8(largest) }
      return hasInfinity ? sign | UInt8(largest + 1) : nan
    }
    var (low, high) = (0, largest)
    while high - low > 1 {
      let middle = (low + high) / 2
      if self.magnitude(middle) <= magnitude { low = middle } else { high = middle }
    }
    let (below, above) = (magnitude - self.magnitude(low), self.magnitude(high) - magnitude)
    let code = below < above || (below == above && low & 1 == 0) ? low : high
    if code == 0, isUnsignedZero { return 0 }
    return sign | UInt8(code)
  }

  private var largestFiniteCode: Int {
    if hasInfinity { return codeCount - 1 - (1 << mantissaBits) }
    return hasNaN && !isUnsignedZero ? codeCount - 2 : codeCount - 1
  }

  /// E8M0 holds powers of two only; the nearest one, ties up.
  private func encodeScale(_ value: Float, saturate: Bool) -> UInt8 {
    if value.isNaN || value <= 0 { return value == 0 ? 0 : 255 }
    if value.isInfinite { return saturate ? 254 : 255 }
    let exponent = Int(value.exponent) + (value.significand >= 1.5 ? 1 : 0)
    return UInt8(clamping: min(max(exponent + bias, 0), 254))
  }
}

extension NumberCoding {
  public static func float(small bits: UInt8, _ element: ElementType) -> Float {
    SmallFloatFormat(element)!.decode(bits)
  }

  public static func small(_ value: Float, _ element: ElementType, saturate: Bool = true) -> UInt8 {
    SmallFloatFormat(element)!.encode(value, saturate: saturate)
  }
}
