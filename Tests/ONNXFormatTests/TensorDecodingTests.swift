import ONNXFormat
import Tensors
import Testing

@Suite struct TensorDecodingTests {
  private func decode(_ number: Int32, _ dims: [Int], _ payload: ONNXTensor.Payload) throws -> Tensor {
    let tensor = ONNXTensor("t", ONNXDataType(rawValue: number), dims: dims, payload: payload)
    let file = Samples.storage(try Samples.model(initializer: tensor).encoded())
    let model = try ONNXModel(bytes: file)
    return try model.decode(model.graph.initializers[0])
  }

  private func raw(_ bytes: [UInt8]) -> ONNXTensor.Payload {
    .raw(ONNXBytes(Samples.storage(bytes), offset: 0, count: bytes.count))
  }

  @Test func typedFields() throws {
    #expect(try decode(1, [2], .floats([1.5, -2])).doubles == [1.5, -2])
    #expect(try decode(11, [2], .doubles([1.5, -2])).doubles == [1.5, -2])
    #expect(try decode(7, [2], .int64s([1 << 40, -2])).integers == [1 << 40, -2])
    #expect(try decode(13, [1], .uint64s([7])).integers == [7])
    #expect(try decode(12, [1], .uint64s([7])).integers == [7])
    #expect(try decode(6, [2], .int32s([7, -7])).integers == [7, -7])
    #expect(try decode(5, [2], .int32s([7, -7])).integers == [7, -7])
    #expect(try decode(4, [1], .int32s([65535])).integers == [65535])
    #expect(try decode(3, [2], .int32s([7, -7])).integers == [7, -7])
    #expect(try decode(2, [1], .int32s([255])).integers == [255])
    #expect(try decode(9, [2], .int32s([1, 0])).integers == [1, 0])
    #expect(try decode(10, [1], .int32s([0x3C00])).doubles == [1])
    #expect(try decode(16, [1], .int32s([0x3F80])).doubles == [1])
    #expect(try decode(17, [1], .int32s([0x38])).doubles == [1])
  }

  @Test func narrowTypesAreSpreadToOneBytePerElement() throws {
    #expect(try decode(22, [3], raw([0x8F, 0x07])).integers == [-1, -8, 7])
    #expect(try decode(21, [3], raw([0x8F, 0x07])).integers == [15, 8, 7])
    #expect(try decode(23, [2], raw([0x92])).doubles == [1, -0.5])
    #expect(try decode(26, [5], raw([0b11_10_01_00, 0b01])).integers == [0, 1, -2, -1, 1])
    #expect(try decode(25, [4], raw([0b11_10_01_00])).integers == [0, 1, 2, 3])
    #expect(try decode(21, [3], .int32s([0x8F, 0x07])).integers == [15, 8, 7])
  }

  @Test func narrowTypesRoundTrip() throws {
    for element in [ElementType.i4, .u4, .i2, .u2, .f4e2m1] {
      let values = (0..<7).map { UInt8($0 % 2) }
      let tensor = Tensor(element, [7], values: values)
      let message = ONNXTensor("t", tensor)
      #expect(try decode(message.dataType.rawValue, [7], message.payload).array(of: UInt8.self) == values)
    }
  }

  @Test func emptyAndScalarTensors() throws {
    #expect(try decode(1, [0, 4], .none).shape == [0, 4])
    #expect(try decode(1, [], .floats([3])).doubles == [3])
  }

  @Test(arguments: [
    (Int32(1), [3], "holds 8 bytes, its shape [3] of FLOAT needs 12"),
    (8, [2], "has element type STRING"), (14, [1], "has element type COMPLEX64"),
    (99, [1], "has element type data type 99"),
    (1, [-1], "has shape [-1]"), (1, [1 << 40, 1 << 40], "accepted are extents"),
    (1, [1 << 58], "accepted are extents"), (1, [1 << 55], "needs 144115188075855872"),
    (1, [1, 1, 1, 1, 1, 1, 1, 1, 2], "has rank 9"),
  ])
  func refusals(_ number: Int32, _ dims: [Int], _ words: String) throws {
    let error = #expect(throws: ONNXFormatError.self) {
      try decode(number, dims, raw([UInt8](repeating: 0, count: 8)))
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("tensor 't'") == true)
  }

  @Test func fieldsThatCannotHoldTheTypeAreRefused() {
    #expect(throws: ONNXFormatError.self) { try decode(1, [1], .int32s([1])) }
    #expect(throws: ONNXFormatError.self) { try decode(7, [1], .floats([1])) }
    #expect(throws: ONNXFormatError.self) { try decode(1, [2], .floats([1])) }
    #expect(throws: ONNXFormatError.self) { try decode(1, [1], .none) }
  }
}
