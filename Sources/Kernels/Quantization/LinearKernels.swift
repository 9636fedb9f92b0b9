import Tensors

enum QuantizationKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("dequantize_linear") {
      DequantizeLinearKernel(
        axis: $0.int("axis", default: 1), blockSize: $0.int("block_size", default: 0),
        element: $0.element("output_dtype"))
    },
    KernelEntry("quantize_linear") {
      QuantizeLinearKernel(
        axis: $0.int("axis", default: 1), blockSize: $0.int("block_size", default: 0),
        element: $0.element("output_dtype"), precision: $0.element("precision"),
        saturates: $0.bool("saturate", default: true))
    },
    KernelEntry("dynamic_quantize_linear") { _ in DynamicQuantizeLinearKernel() },
    PackBlocksKernel.entry,
    UnpackBlocksKernel.entry,
    UnpackColumnsKernel.entry,
    MatMulNBitsKernel.entry,
    GatherBlockQuantizedKernel.entry,
  ]
}

/// `y = (x - zero_point) * scale`, in f32 and then rounded to the result's type: `element`, or that of the
/// scale.
struct DequantizeLinearKernel: Kernel {
  let axis: Int
  let blockSize: Int
  let element: ElementType?

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, scale) = (call.contiguous(0), call[1])
    let layout = try QuantizationLayout(x.shape, scale: scale, axis: axis, blockSize: blockSize)
    if let zero = call.optional(2), zero.elementCount != scale.elementCount {
      throw .invalid(
        "the zero points are \(zero.shape.array), the scales \(scale.shape.array): they must be as many")
    }
    let result = call.allocate(0, element ?? scale.element, x.shape)
    let y =
      result.element == .f32
      ? result : TensorView(call.resources.scratch(byteCount: x.elementCount * 4), .f32, x.shape)
    let scales = call.quantizationNumbers(1)
    let zeros = call.has(2) ? call.quantizationNumbers(2) : nil
    let to = y.base.assumingMemoryBound(to: Float.self)
    switch x.element.byteCount {
    case 1:
      let codes = call.resources.scratch(byteCount: 256 * 4).bindMemory(to: Float.self, capacity: 256)
      for code in 0..<256 { codes[code] = Self.number(UInt8(code), x.element) }
      dequantize(x, layout, scales, zeros, to) { (value: UInt8) in codes[Int(value)] }
    case 2 where x.element == .i16:
      dequantize(x, layout, scales, zeros, to) { (value: Int16) in Float(value) }
    case 2 where x.element == .u16:
      dequantize(x, layout, scales, zeros, to) { (value: UInt16) in Float(value) }
    case 4 where x.element == .i32:
      dequantize(x, layout, scales, zeros, to) { (value: Int32) in Float(value) }
    default:
      throw .element(x.element, of: "x", accepted: "integers up to 16 bits, i32 and 8-bit and 4-bit floats")
    }
    if y.element != result.element { Conversion.run(from: y, to: result) }
  }

  private static func number(_ code: UInt8, _ element: ElementType) -> Float {
    withUnsafeBytes(of: code) { Float(NumberCoding.load($0.baseAddress!, element, 0)) }
  }

  @inline(__always)
  private func dequantize<T: BitwiseCopyable>(
    _ x: TensorView, _ layout: QuantizationLayout, _ scales: UnsafePointer<Float>,
    _ zeros: UnsafePointer<Float>?,
    _ to: UnsafeMutablePointer<Float>, _ decode: (T) -> Float
  ) {
    let from = x.base.assumingMemoryBound(to: T.self)
    layout.forEachRun { start, count, step, index in
      let (scale, zero) = (scales[index], zeros?[index] ?? 0)
      for place in 0..<count {
        let offset = start &+ place &* step
        to[offset] = (decode(from[offset]) - zero) * scale
      }
    }
  }
}

/// `y = saturate(round(x / scale) + zero_point)`, ties to even.
///
/// The quotient is rounded to `precision`, or the scale's type. The result has the zero point's type,
/// `element`, or u8; 8-bit and 4-bit floats round the quotient itself.
struct QuantizeLinearKernel: Kernel {
  let axis: Int
  let blockSize: Int
  let element: ElementType?
  let precision: ElementType?
  let saturates: Bool

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, scale) = (call.contiguous(0), call[1])
    let layout = try QuantizationLayout(x.shape, scale: scale, axis: axis, blockSize: blockSize)
    let zero = call.optional(2)
    if let zero, zero.elementCount != scale.elementCount {
      throw .invalid(
        "the zero points are \(zero.shape.array), the scales \(scale.shape.array): they must be as many")
    }
    let target = zero?.element ?? element ?? .u8
    let isFloat = target.isFloatingPoint && target.byteCount == 1 && target != .f8e8m0
    guard isFloat || (target.isInteger && target.byteCount <= 2) else {
      throw .element(target, of: "zero_point", accepted: "integers up to 16 bits and 8-bit and 4-bit floats")
    }
    let y = call.allocate(0, target, x.shape)
    let scales = call.quantizationNumbers(1)
    let zeros = call.has(2) ? call.quantizationNumbers(2) : nil
    let quotientType = precision ?? scale.element
    let limits = Self.limits(target)
    let wide = TensorView(call.resources.scratch(byteCount: x.elementCount * 4), .f32, x.shape)
    Conversion.run(from: x, to: wide)
    let from = wide.base.assumingMemoryBound(to: Float.self)
    layout.forEachRun { start, count, step, index in
      for place in 0..<count {
        let offset = start &+ place &* step
        var quotient = from[offset] / scales[index]
        if quotientType == .f16 { quotient = Float(Float16(quotient)) }
        if quotientType == .bf16 { quotient = NumberCoding.float(bf16: NumberCoding.bf16(quotient)) }
        if isFloat {
          let value = quotient + (zeros?[index] ?? 0)
          y.base.storeBytes(
            of: NumberCoding.small(value, target, saturate: saturates), toByteOffset: offset, as: UInt8.self)
        } else {
          let value = quotient.rounded(.toNearestOrEven) + (zeros?[index] ?? 0)
          let clamped = value.isNaN ? 0 : min(max(value, limits.lowerBound), limits.upperBound)
          NumberCoding.store(integer: Int64(clamped), y.base, target, offset)
        }
      }
    }
  }

  private static func limits(_ element: ElementType) -> ClosedRange<Float> {
    let bits = element.packedBitCount
    return element.isSignedInteger
      ? -Float(1 << (bits - 1))...Float((1 << (bits - 1)) - 1) : 0...Float((1 << bits) - 1)
  }
}

/// Quantizes f32 to u8 over its own range, which is made to hold zero.
///
///     scale = (max(0, max x) - min(0, min x)) / 255      zero = round(-min(0, min x) / scale)
///     y     = saturate(round(x / scale) + zero)
struct DynamicQuantizeLinearKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call.contiguous(0)
    guard x.element == .f32 else { throw .element(x.element, of: "x", accepted: "f32") }
    let from = UnsafeBufferPointer(start: x.base.assumingMemoryBound(to: Float.self), count: x.elementCount)
    var (low, high): (Float, Float) = (0, 0)
    for value in from { (low, high) = (min(low, value), max(high, value)) }
    let scale = high == low ? 1 : (high - low) / 255
    let zero = min(max((-low / scale).rounded(.toNearestOrEven), 0), 255)
    let y = call.allocate(0, .u8, x.shape)
    for (index, value) in from.enumerated() {
      let code = min(max((value / scale).rounded(.toNearestOrEven) + zero, 0), 255)
      y.base.storeBytes(of: UInt8(code.isNaN ? 0 : code), toByteOffset: index, as: UInt8.self)
    }
    call.allocate(1, .f32, Extents()).base.storeBytes(of: scale, as: Float.self)
    call.allocate(2, .u8, Extents()).base.storeBytes(of: UInt8(zero), as: UInt8.self)
  }
}
