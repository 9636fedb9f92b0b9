public import Tensors

extension ONNXTensor {
  /// A tensor as raw data; elements of less than a byte are packed, all others referred to in place.
  public init(_ name: String, _ tensor: Tensor) {
    let bytes: ONNXBytes
    if tensor.element.packedBitCount < 8 {
      bytes = Self.packed(tensor)
    } else {
      bytes = ONNXBytes(tensor.storage, offset: tensor.offset, count: tensor.byteCount)
    }
    self.init(name, ONNXDataType(tensor.element), dims: tensor.shape, payload: .raw(bytes))
  }

  private static func packed(_ tensor: Tensor) -> ONNXBytes {
    let bits = tensor.element.packedBitCount
    let perByte = 8 / bits
    let storage = TensorStorage(byteCount: (tensor.elementCount + perByte - 1) / perByte)
    for (index, code) in tensor.bytes.enumerated() {
      let part = (code & UInt8((1 << bits) - 1)) << UInt8(index % perByte * bits)
      let byte = storage.base.load(fromByteOffset: index / perByte, as: UInt8.self)
      storage.base.storeBytes(of: byte | part, toByteOffset: index / perByte, as: UInt8.self)
    }
    return ONNXBytes(storage, offset: 0, count: storage.byteCount)
  }
}
