import Foundation
import ONNXFormat
import Tensors
import Testing

@Suite struct HostileInputTests {
  private func refusal(_ bytes: [UInt8]) throws -> String {
    let folder = try TemporaryFolder()
    let path = try folder.write("m.onnx", bytes)
    let error = #expect(throws: ONNXFormatError.self) { try ONNXModel(contentsOf: path) }
    return error?.description ?? ""
  }

  @Test func filesOfOtherKindsAreNamed() throws {
    #expect(try refusal([]).contains("is empty"))
    #expect(try refusal(Array("GGUF\u{3}\u{0}\u{0}\u{0}".utf8)).contains("GGUF"))
    #expect(try refusal(Array("{\"a\": 1}".utf8)).contains("JSON"))
    #expect(try refusal(Array("hello, world\n".utf8)).contains("no ONNX model"))
    #expect(try refusal([0x08, 0x0A]).contains("no graph"))
    let error = #expect(throws: ONNXFormatError.self) { try ONNXModel(contentsOf: "/nonexistent/m.onnx") }
    #expect(error?.description.contains("no such file") == true)
    #expect(throws: ONNXFormatError.self) { try ONNXModel(contentsOf: NSTemporaryDirectory()) }
  }

  @Test func everyPrefixOfAModelIsRefusedOrRead() throws {
    let tensor = ONNXTensor("w", Tensor(f32: (0..<8).map(Float.init)))
    let bytes = try Samples.model(initializer: tensor).encoded()
    var read = 0
    for count in 0..<bytes.count {
      guard let model = try? ONNXModel(bytes: Samples.storage(Array(bytes[..<count]))) else { continue }
      read += 1
      for tensor in model.graph.initializers { _ = try? model.decode(tensor) }
    }
    // The graph is one counted field, so only cuts behind it can be read.
    #expect(read < 40)
  }

  @Test func everyChangedByteIsRefusedOrRead() throws {
    let tensor = ONNXTensor("w", Tensor(f32: [1, 2]))
    let bytes = try Samples.model(initializer: tensor).encoded()
    for index in bytes.indices {
      for value: UInt8 in [0, 0x7F, 0x80, 0xFF, bytes[index] ^ 1] {
        var changed = bytes
        changed[index] = value
        guard let model = try? ONNXModel(bytes: Samples.storage(changed)) else { continue }
        for tensor in model.graph.initializers { _ = try? model.decode(tensor) }
      }
    }
  }

  @Test func nestingIsLimited() {
    // graph { node { attribute { g: ... } } }, a thousand levels deep.
    var graph: [UInt8] = []
    for _ in 0..<1000 {
      for tag: UInt8 in [0x32, 0x2A, 0x0A] { graph = [tag] + Samples.varint(UInt64(graph.count)) + graph }
    }
    let bytes = [0x3A] + Samples.varint(UInt64(graph.count)) + graph
    let error = #expect(throws: ONNXFormatError.self) { try ONNXModel(bytes: Samples.storage(bytes)) }
    #expect(error?.description.contains("nested deeper") == true)
    var type: [UInt8] = []
    for _ in 0..<1000 {
      for tag: UInt8 in [0x0A, 0x22] { type = [tag] + Samples.varint(UInt64(type.count)) + type }
    }
    for tag: UInt8 in [0x12, 0x5A, 0x3A] { type = [tag] + Samples.varint(UInt64(type.count)) + type }
    #expect(throws: ONNXFormatError.self) { try ONNXModel(bytes: Samples.storage(type)) }
  }

  @Test func ourOwnFieldsAreIgnoredInFiles() throws {
    // An initializer that claims raw_data_index 7: the field is dropped, the tensor has no data.
    let tensor: [UInt8] = [0x08, 0x01, 0x10, 0x01] + Samples.varint(100_000 << 3) + [0x07]
    let graph = [0x2A] + Samples.varint(UInt64(tensor.count)) + tensor
    let model = try ONNXModel(bytes: Samples.storage([0x3A] + Samples.varint(UInt64(graph.count)) + graph))
    #expect(throws: ONNXFormatError.self) { try model.decode(model.graph.initializers[0]) }
  }
}
