import Compiler
import Foundation
import GraphIR
import ONNXFormat
import ONNXImport
import Operators
import Passes
import Tensors
import TestSupport
import Testing

/// One decoder is one graph in the end, whatever exporter wrote it.
@Suite struct ZooFusionTests {
  /// Seven exporter settings of Gemma 3 270M (359 to 5,594 nodes) end as the same sequence of operators.
  ///
  /// Large weights are stood in for by holes in a file; vectors and tables hold seeded numbers.
  @Test(arguments: Zoo.structures)
  func gemmaEndsAsOneSequence(_ entry: Zoo.Entry) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try StructureFile.write(entry.path, to: folder)
    var module = try Module(importing: path)
    module.metadata["context_length"] = "1024"
    try Pipeline.standard(.format(.f32)).run(on: &module, operators: OperatorSet.standard)
    let form = FusedForm(module.main.graph)
    try Golden.expect(form.lines.joined(separator: "\n") + "\n", named: "gemma-3-270m-sequence.txt")
  }

  /// What is left of every export, operator by operator.
  @Test func operatorsThatAreLeft() throws {
    var text = ""
    for entry in Zoo.runnable {
      var module = try Module(importing: entry.path)
      module.metadata["context_length"] = "64"
      let records = try Pipeline.standard(.format(.f32)).run(on: &module, operators: OperatorSet.standard)
      text += "\(entry.family)/\(entry.exporter): \(FusedForm(module.main.graph).counts)\n"
      for miss in records.filter({ $0.name.hasPrefix("recognize") }).flatMap(\.misses) {
        text += "  missed: \(miss)\n"
      }
    }
    try Golden.expect(text, named: "zoo-operators.txt")
  }
}
