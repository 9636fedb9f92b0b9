import Foundation
import GraphIR
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
    let module = try Module(importing: try StructureFile.write(entry.path, to: folder))
    #expect(module.violations(operators: OperatorSet.standard).isEmpty)
  }
}
