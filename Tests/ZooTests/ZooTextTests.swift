import Foundation
import GraphIR
import ONNXImport
import Operators
import Testing

@Suite struct ZooTextTests {
  private static let tandem8M = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../graphs/tandem-8m/model.onnx").standardized.path

  @Test(arguments: Zoo.runnable) func textIsKept(_ entry: Zoo.Entry) throws {
    try expectRoundTrip(Module(importing: entry.path))
  }

  @Test func textOfTandem8MIsKept() throws { try expectRoundTrip(Module(importing: Self.tandem8M)) }

  /// The text comes back as it was, and so does what inference knows of shapes under construction.
  private func expectRoundTrip(_ module: Module) throws {
    let printed = module.printed()
    let parsed = try Module(parsing: printed.text, operators: OperatorSet.standard, blobs: printed.blobs)
    #expect(parsed.text == printed.text)
    #expect(parsed.violations(operators: OperatorSet.standard).isEmpty)
    let (graph, again) = (module.main.graph, parsed.main.graph)
    for case let result? in graph.order.flatMap({ graph[$0].results }) {
      let name = graph[result].name
      #expect(again.value(named: name).flatMap { again[$0].content } == graph[result].content, "%\(name)")
    }
  }
}
