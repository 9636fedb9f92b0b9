import Foundation
import GraphIR
import Operators
import Passes
import TestSupport
import Testing

/// One case per file in `Cases/`: `// passes:` in the first line, and a module. What comes out stands under the same name in
/// `Goldens/`, with misses as comments.
@Suite struct PassGoldenTests {
  static let available: [any Pass] = [
    DecomposeComposites(), FoldConstants(), EliminateCommonSubexpressions(), EliminateDeadCode(),
    KeepCachesInPlace(), RecognizeAttention(), RecognizePositions(), SpecializePhases(),
    QuantizeWeights(),
    RewritePass.canonicalize, RewritePass.anchorShapes, RewritePass.simplifyArithmetic,
    RewritePass.recognizeOperators,
    RewritePass.exposeQuantizedWeights, RewritePass.formLinear, RewritePass.unmergeRows,
    RewritePass.fuseFeedForward, RewritePass.fuseResidual, RewritePass.fuseEnds,
  ]

  static let cases: [String] = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".ir") }.sorted()
  }()

  @Test func casesExist() { #expect(Self.cases.count >= 10) }

  @Test(arguments: cases)
  func pass(_ name: String) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")
    let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    let first = try #require(text.split(separator: "\n").first)
    let prefix = "// passes: "
    try #require(first.hasPrefix(prefix))
    var module = try Module(parsing: text, operators: OperatorSet.standard, blobs: [])
    let pipeline = try PassPipeline(parsing: String(first.dropFirst(prefix.count)), available: Self.available)
    let records = try pipeline.run(on: &module, operators: OperatorSet.standard)
    let misses = records.flatMap(\.misses).map { "// missed: \($0)\n" }.joined()
    try Golden.expect(module.printed().text + misses, named: name)
  }
}
