import Compiler
import GraphIR
import ONNXImport
import Operators
import Testing

/// What becomes of a decoder: its feed-forward blocks, residual sums and ends, whoever exported it.
@Suite struct ZooFusionTests {
  /// Layers of every model of the zoo.
  private static let layerCount = 2

  @Test(arguments: Zoo.runnable)
  func blocksAreFused(_ entry: Zoo.Entry) throws {
    var module = try Module(importing: entry.path)
    var pipeline = Pipeline.standard
    try pipeline.disable("specialize-phases")
    try pipeline.run(on: &module, operators: OperatorSet.standard)
    let graph = module.main.graph
    let counts = Dictionary(grouping: graph.order, by: { graph[$0].operation }).mapValues(\.count)
    #expect(counts["lm_head"] == 1)
    #expect(counts["embedding", default: 0] >= 1)
    #expect(counts["residual_normalization"] == 2 * Self.layerCount)
    // The experts of mixtral are no such blocks, but where an exporter runs all four of a layer.
    let blocks = entry.family != "mixtral" ? 1 : entry.exporter == "mobius" ? 4 : 0
    #expect(counts["feed_forward", default: 0] == blocks * Self.layerCount)
    #expect(counts["matmul_nbits"] == nil && counts["gemm"] == nil)
  }
}
