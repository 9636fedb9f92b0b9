import Foundation
import ONNXFormat
import Tensors

enum Samples {
  /// A model with one initializer, read by one node.
  static func model(initializer: ONNXTensor) throws -> ONNXModel {
    var model = ONNXModel(
      opsets: [ONNXOpset("", 21)],
      graph: ONNXGraph(
        nodes: [ONNXNode("Add", inputs: ["x", initializer.name], outputs: ["y"])],
        inputs: [ONNXValueInfo("x", .init(.f32), [.parameter("S")])],
        outputs: [ONNXValueInfo("y", .init(.f32), [.parameter("S")])], initializers: [initializer]))
    model.producerName = "samples"
    return model
  }

  static func storage(_ bytes: [UInt8]) -> TensorStorage {
    let storage = TensorStorage(byteCount: bytes.count)
    storage.base.copyMemory(from: bytes, byteCount: bytes.count)
    return storage
  }

  static func varint(_ value: UInt64) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    return bytes + [UInt8(value)]
  }
}

/// A folder that goes with the object.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: url.appendingPathComponent(name))
    return path(name)
  }
}
