import Tensors

/// Makes a dense tensor from a message's payload.
struct TensorDecoder {
  let element: ElementType
  let shape: [Int]
  let count: Int
  private let payload: ONNXTensor.Payload

  init(_ tensor: ONNXTensor) throws(ONNXFormatError) {
    guard let element = tensor.dataType.element else {
      throw ONNXFormatError(
        .unsupported, "has element type \(tensor.dataType), accepted are \(ONNXDataType.accepted)")
    }
    guard tensor.dims.count <= Extents.maximumRank else {
      throw ONNXFormatError(
        .unsupported, "has rank \(tensor.dims.count), accepted are at most \(Extents.maximumRank) axes")
    }
    var count = 1
    for dim in tensor.dims {
      let (product, overflow) = count.multipliedReportingOverflow(by: dim)
      guard dim >= 0, !overflow, product <= Int.max / 128 else {  // their bits must be countable
        throw ONNXFormatError(
          "has shape \(tensor.dims), accepted are extents that are not negative and can be held")
      }
      count = product
    }
    self.element = element
    self.count = count
    shape = tensor.dims
    payload = tensor.payload
  }

  /// Bytes of the elements in a file.
  private var packedByteCount: Int { (count * element.packedBitCount + 7) / 8 }

  func decode(_ external: ExternalData?) throws(ONNXFormatError) -> Tensor {
    switch payload {
    case .raw(let bytes): return try view(bytes)
    case .external(let location):
      guard let external else {
        throw ONNXFormatError(
          "is external data in '\(location.path)' of a model that was not read from a file")
      }
      return try view(try external.bytes(location, byteCount: packedByteCount))
    case .floats(let values):
      guard element == .f32 else { throw mismatch("float_data") }
      return try tensor(values)
    case .doubles(let values):
      guard element == .f64 else { throw mismatch("double_data") }
      return try tensor(values)
    case .int64s(let values):
      guard element == .i64 else { throw mismatch("int64_data") }
      return try tensor(values)
    case .uint64s(let values):
      switch element {
      case .u64: return try tensor(values)
      case .u32: return try tensor(values.map { UInt32(truncatingIfNeeded: $0) })
      default: throw mismatch("uint64_data")
      }
    case .int32s(let values): return try tensor(narrow: values)
    case .strings: throw mismatch("string_data")
    case .none:
      guard count == 0 else { throw ONNXFormatError("holds no elements, its shape \(shape) needs \(count)") }
      return Tensor(element, shape)
    }
  }

  private func mismatch(_ field: String) -> ONNXFormatError {
    ONNXFormatError(
      "has element type \(ONNXDataType(element)) and elements in '\(field)', which cannot hold it")
  }

  private func checkCount(_ found: Int, _ needed: Int, _ unit: String) throws(ONNXFormatError) {
    guard found == needed else {
      throw ONNXFormatError(
        "holds \(found) \(unit), its shape \(shape) of \(ONNXDataType(element)) needs \(needed)")
    }
  }

  // MARK: Raw bytes

  private func view(_ bytes: ONNXBytes) throws(ONNXFormatError) -> Tensor {
    try checkCount(bytes.count, packedByteCount, "bytes")
    if element.packedBitCount < 8 { return unpack(bytes.pointer) }
    let isAligned = UInt(bitPattern: bytes.storage.base + bytes.offset) % UInt(element.byteCount) == 0
    if isAligned { return Tensor(element, shape, storage: bytes.storage, offset: bytes.offset) }
    let copy = Tensor(element, shape)
    if let start = bytes.pointer.baseAddress { copy.base.copyMemory(from: start, byteCount: bytes.count) }
    return copy
  }

  /// Spreads 4-bit or 2-bit elements, first one in the lowest bits, to a byte each; signed ones are extended.
  private func unpack(_ bytes: UnsafeRawBufferPointer) -> Tensor {
    let result = Tensor(element, shape)
    let output = result.base.assumingMemoryBound(to: UInt8.self)
    let bits = element.packedBitCount
    let perByte = 8 / bits
    for index in 0..<count {
      let code = bytes[index / perByte] >> UInt8(index % perByte * bits) & UInt8((1 << bits) - 1)
      output[index] = extended(code)
    }
    return result
  }

  private func extended(_ code: UInt8) -> UInt8 {
    guard element.isSignedInteger else { return code }
    let shift = UInt8(8 - element.packedBitCount)
    return UInt8(bitPattern: Int8(bitPattern: code << shift) >> Int8(shift))
  }

  // MARK: Typed fields

  private func tensor<T: BitwiseCopyable>(_ values: [T]) throws(ONNXFormatError) -> Tensor {
    try checkCount(values.count, count, "elements")
    return Tensor(element, shape, values: values)
  }

  /// `int32_data` holds every type of at most 32 bits but f32 and u32; floats by their bits.
  private func tensor(narrow values: [Int32]) throws(ONNXFormatError) -> Tensor {
    switch element {
    case .i32: return try tensor(values)
    case .i16, .u16, .f16, .bf16: return try tensor(values.map { UInt16(truncatingIfNeeded: $0) })
    case .i8, .u8, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0:
      return try tensor(values.map { UInt8(truncatingIfNeeded: $0) })
    case .bool: return try tensor(values.map { UInt8($0 != 0 ? 1 : 0) })
    case .i4, .u4, .f4e2m1, .i2, .u2:
      // One entry per byte of the packed form.
      let packed = values.map { UInt8(truncatingIfNeeded: $0) }
      try checkCount(packed.count, packedByteCount, "bytes")
      return packed.withUnsafeBytes { unpack($0) }
    case .f32, .f64, .i64, .u64, .u32: throw mismatch("int32_data")
    }
  }
}
