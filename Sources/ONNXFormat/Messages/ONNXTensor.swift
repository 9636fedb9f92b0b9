public import Tensors

/// `TensorProto`: a named array whose bytes are looked at only when it is decoded.
public struct ONNXTensor: Sendable {
  /// Where the elements are.
  public enum Payload: Sendable {
    /// Little-endian elements, those of less than a byte packed from the low bits up.
    case raw(ONNXBytes)
    case floats([Float])
    /// Also narrow integers, booleans, and the bits of f16, bf16 and 8-bit floats.
    case int32s([Int32])
    case int64s([Int64])
    case doubles([Double])
    case uint64s([UInt64])
    /// Not read.
    case strings
    case external(ONNXExternalLocation)
    /// No field holds any element.
    case none
  }

  public var name: String
  public var dims: [Int]
  public var dataType: ONNXDataType
  public var payload: Payload

  public init(_ name: String, _ dataType: ONNXDataType, dims: [Int], payload: Payload) {
    self.name = name
    self.dataType = dataType
    self.dims = dims
    self.payload = payload
  }
}

/// A range of bytes in storage that something keeps alive: a mapped file.
public struct ONNXBytes: Sendable {
  public let storage: TensorStorage
  public let offset: Int
  public let count: Int

  public init(_ storage: TensorStorage, offset: Int, count: Int) {
    precondition(
      offset >= 0 && count >= 0 && offset <= storage.byteCount - count, "bytes outside of their storage")
    self.storage = storage
    self.offset = offset
    self.count = count
  }

  public var pointer: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: storage.base + offset, count: count)
  }
}

/// Elements in another file.
public struct ONNXExternalLocation: Sendable, Equatable {
  /// Relative to the model's folder, `/` between parts.
  public var path: String
  /// Bytes.
  public var offset: Int
  /// Bytes; nil: as many as the shape needs.
  public var count: Int?

  public init(path: String, offset: Int = 0, count: Int? = nil) {
    self.path = path
    self.offset = offset
    self.count = count
  }
}
