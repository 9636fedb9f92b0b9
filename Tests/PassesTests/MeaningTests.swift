import Compiler
import GraphIR
import Operators
import Testing

/// Passes leave what a function computes as it is.
@Suite struct MeaningTests {
  /// Every prefix of the pipeline: the module after each pass.
  @Test(arguments: 0..<60)
  func randomGraphs(_ seed: Int) throws {
    var module = try RandomGraph.module(seed: UInt64(seed), steps: 4 + seed % 9)
    let text = module.printed().text
    let meaning = try Meaning(of: module, seed: UInt64(seed))
    for pass in Pipeline.faithful.passes {
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
      for record in try Pipeline.faithful.run(on: &module, operators: OperatorSet.standard) {
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

  /// Cases say themselves if they cannot be run.
  @Test(arguments: PassCase.names)
  func goldenCases(_ name: String) throws {
    let golden = try PassCase(name)
    guard golden.isEvaluated else { return }
    var module = golden.module
    let meaning = try Meaning(of: module, seed: 1)
    try golden.passes.run(on: &module, operators: OperatorSet.standard)
    #expect(try meaning.difference(to: module) == nil)
  }

  /// Several uses: every value on the way is an output too, so no rule may take away what it replaces.
  @Test(arguments: PassCase.names)
  func goldenCasesOfWhichEverythingIsRead(_ name: String) throws {
    let golden = try PassCase(name)
    guard golden.isEvaluated else { return }
    var module = golden.module
    for id in module.main.graph.order {
      for case let result? in module.main.graph[id].results where !module.main.graph.isOutput(result) {
        module.main.graph.outputs.append(("value \(result.index)", result))
      }
    }
    let meaning = try Meaning(of: module, seed: 1)
    try golden.passes.run(on: &module, operators: OperatorSet.standard)
    #expect(try meaning.difference(to: module) == nil)
  }
}
