import Foundation
import GraphIR
import ONNXFormat
import ONNXImport
import Operators
import Testing

@Suite struct ZooImportTests {
  @Test(arguments: Zoo.runnable)
  func exportsBecomeVerifiedModules(_ entry: Zoo.Entry) throws {
    let module = try Module(importing: entry.path)
    #expect(module.violations(operators: OperatorSet.standard).isEmpty)
    #expect(module.main.graph.outputs.first?.name == "logits")
  }

  /// Weights are stood in for by a file of holes.
  @Test(arguments: Zoo.structures)
  func theRealModelsGraphsImport(_ entry: Zoo.Entry) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("model.onnx").path
    try FileManager.default.copyItem(atPath: entry.path, toPath: path)
    for (name, size) in Self.externalFiles(of: try ONNXModel(contentsOf: path)) {
      let file = folder.appendingPathComponent(name).path
      #expect(FileManager.default.createFile(atPath: file, contents: nil))
      let handle = try #require(FileHandle(forUpdatingAtPath: file))
      try handle.truncate(atOffset: UInt64(size))
      try handle.close()
    }
    let module = try Module(importing: path)
    #expect(module.violations(operators: OperatorSet.standard).isEmpty)
  }

  private static func externalFiles(of model: ONNXModel) -> [String: Int] {
    var sizes: [String: Int] = [:]
    for tensor in model.graph.initializers {
      guard case .external(let location) = tensor.payload else { continue }
      sizes[location.path] = max(sizes[location.path] ?? 0, location.offset + (location.count ?? 0))
    }
    return sizes
  }
}
