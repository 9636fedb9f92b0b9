import Foundation
import ONNXFormat
import Tensors
import Testing

@Suite struct MappedBytesTests {
  @Test func rawDataIsAViewOfTheStorage() throws {
    let weights = Tensor(f32: (0..<64).map(Float.init), [8, 8])
    let file = Samples.storage(try Samples.model(initializer: ONNXTensor("w", weights)).encoded())
    let model = try ONNXModel(bytes: file)
    guard case .raw(let bytes) = model.graph.initializers[0].payload else {
      Issue.record("raw data was not found")
      return
    }
    #expect(bytes.storage === file)
    #expect(
      try model.decode(model.graph.initializers[0]).array(of: Float.self) == weights.array(of: Float.self))
  }

  @Test(arguments: 0..<8)
  func alignedDataIsSharedAndMisalignedDataCopied(_ shift: Int) throws {
    let model = try Samples.model(
      initializer: ONNXTensor("w" + String(repeating: "x", count: shift), Tensor(i64: [1, 2])))
    let file = Samples.storage(try model.encoded())
    let read = try ONNXModel(bytes: file)
    guard case .raw(let bytes) = read.graph.initializers[0].payload else {
      Issue.record("raw data was not found")
      return
    }
    let tensor = try read.decode(read.graph.initializers[0])
    let isAligned = UInt(bitPattern: file.base + bytes.offset) % 8 == 0
    #expect((tensor.storage === file) == isAligned)
    #expect(tensor.integers == [1, 2])
  }

  /// A file of more than 4 GB, all of it holes but for the ends.
  @Test func filesLargerThanFourGigabytesAreRead() throws {
    let folder = try TemporaryFolder()
    let count = 5 << 30
    var head: [UInt8] = []
    // ModelProto.graph { initializer { dims, data_type, name, raw_data } }, written by hand: no encoder takes this much.
    var tensor: [UInt8] =
      [0x08] + Samples.varint(UInt64(count)) + [0x10, 0x02, 0x42, 0x01] + Array("w".utf8) + [0x4A]
    tensor += Samples.varint(UInt64(count))
    var graph: [UInt8] = [0x2A] + Samples.varint(UInt64(tensor.count + count)) + tensor
    head = [0x08, 0x0A, 0x3A] + Samples.varint(UInt64(graph.count + count))
    graph = head + graph
    let path = folder.path("large.onnx")
    try Data(graph).write(to: URL(fileURLWithPath: path))
    let handle = try #require(FileHandle(forUpdatingAtPath: path))
    try handle.seek(toOffset: UInt64(graph.count + count - 1))
    try handle.write(contentsOf: Data([42]))
    try handle.close()
    let model = try ONNXModel(contentsOf: path)
    let weights = try model.decode(model.graph.initializers[0])
    #expect(weights.shape == [count])
    #expect(weights.bytes[0] == 0)
    #expect(weights.bytes[count - 1] == 42)
  }
}
