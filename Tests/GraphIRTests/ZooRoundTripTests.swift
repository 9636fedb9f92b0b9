import Foundation
import GraphIR
import ONNXImport
import Operators
import Testing

/// Graphs that real exporters wrote.
private enum Zoo {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardized

  /// Paths below the root of the package.
  static let models: [String] = {
    let folder = root.appending(path: "Tests/Fixtures/zoo")
    let files = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    // The graphs of `gemma-3-270m` come without their weights.
    let models = files.filter { $0.hasSuffix(".onnx") && !$0.hasPrefix("gemma-3-270m/") }.sorted()
    return models.map { "Tests/Fixtures/zoo/\($0)" } + ["graphs/tandem-8m/model.onnx"]
  }()

  static func module(_ path: String) throws -> Module {
    try Module(importing: root.appending(path: path).path)
  }
}

@Suite struct ZooRoundTripTests {
  /// The text is kept, and so is what inference knows of shapes under construction.
  @Test(arguments: Zoo.models) func textIsKept(_ path: String) throws {
    let module = try Zoo.module(path)
    let printed = module.printed()
    let parsed = try Module(parsing: printed.text, operators: OperatorSet.standard, blobs: printed.blobs)
    #expect(parsed.text == printed.text)
    #expect(module.violations(operators: OperatorSet.standard).isEmpty)
    #expect(parsed.violations(operators: OperatorSet.standard).isEmpty)
    let (graph, again) = (module.main.graph, parsed.main.graph)
    for case let result? in graph.order.flatMap({ graph[$0].results }) {
      let name = graph[result].name
      #expect(again.value(named: name).flatMap { again[$0].content } == graph[result].content, "%\(name)")
    }
  }
}
