import Foundation
import GraphIR
import Operators
import Passes
import Testing

/// Passes leave what a function computes as it is.
@Suite struct MeaningTests {
  /// In the order of the standard pipeline, with all that fuses.
  private static let passes: [any Pass] = [
    DecomposeComposites(), FoldConstants(), RewritePass.canonicalize, EliminateCommonSubexpressions(),
    RewritePass.exposeQuantizedWeights, RewritePass.simplifyArithmetic, RewritePass.recognizeOperators,
    RewritePass.formLinear, RewritePass.unmergeRows, RewritePass.canonicalize, RewritePass.fuseFeedForward,
    RewritePass.fuseEnds, RewritePass.fuseResidual, EliminateDeadCode(),
  ]

  /// Every prefix of the pipeline: the module after each pass.
  @Test(arguments: 0..<60)
  func randomGraphs(_ seed: Int) throws {
    var module = try RandomGraph.module(seed: UInt64(seed), steps: 4 + seed % 9)
    let text = module.printed().text
    let meaning = try Meaning(of: module, seed: UInt64(seed))
    for pass in Self.passes {
      try PassPipeline([pass]).run(on: &module, operators: OperatorSet.standard)
      let difference = try meaning.difference(to: module)
      #expect(difference == nil, "seed \(seed), after '\(pass.name)' of\n\(text)")
      if difference != nil { return }
    }
  }

  /// The random graphs are such that every rule has something to do.
  @Test func everyFusionHappens() throws {
    var counts: [String: Int] = [:]
    for seed in 0..<60 {
      var module = try RandomGraph.module(seed: UInt64(seed), steps: 4 + seed % 9)
      for record in try PassPipeline(Self.passes).run(on: &module, operators: OperatorSet.standard) {
        counts.merge(record.statistics, uniquingKeysWith: +)
      }
    }
    for rule in [
      "drop-identity", "merge-casts", "merge-transposes", "merge-reshapes", "drop-neutral-operand",
      "drop-slice",
      "constant-to-the-right", "expand-power", "form-reciprocal", "divide-by-root", "recognize-swish",
      "recognize-gelu", "recognize-rms-norm", "scale-norm", "center-norm", "bias-norm", "linear-from-matmul",
      "linear-from-gemm", "absorb-bias", "unfold-rows", "fuse-feed-forward", "fuse-residual",
    ] {
      #expect(counts[rule, default: 0] > 0, "'\(rule)' never happens")
    }
  }

  /// Cases of passes that need run-time shapes that are not in a file, or values that random ones are not.
  private static let unevaluated = ["canonical-reshapes-near-misses.ir", "canonical-identities.ir"]

  @Test(
    arguments: PassGoldenTests.cases.filter { name in
      ["canonical", "simplify", "recognize", "quantized", "linear", "unfold", "fuse"]
        .contains { name.hasPrefix($0) } && !unevaluated.contains(name)
    })
  func goldenCases(_ name: String) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")
    let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    var module = try Module(parsing: text, operators: OperatorSet.standard, blobs: [])
    let meaning = try Meaning(of: module, seed: 1)
    let names = try #require(text.split(separator: "\n").first).dropFirst("// passes: ".count)
    let pipeline = try PassPipeline(parsing: String(names), available: PassGoldenTests.available)
    try pipeline.run(on: &module, operators: OperatorSet.standard)
    #expect(try meaning.difference(to: module) == nil)
  }
}
