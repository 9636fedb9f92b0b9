import Compiler
import Foundation
import GraphIR
import Kernels
import Operators
import PlanFormat
import Planning
import Tensors
import Testing
import Tokenization

@testable import Generation
@testable import Passes

/// Drafts by some of a decoder's own layers.
@Suite struct LayerDraftTests {
  private static let models = [
    Zoo.tandem8M, Zoo.runnable.first { $0.testDescription == "gemma3_text/optimum" }!.path,
  ]

  private static func module(_ model: String) throws -> Module {
    var options = ConversionOptions(model: model)
    (options.weights, options.maxContext) = (.f32, 512)
    return try Conversion(options).run().module
  }

  private static func subset(_ module: Module) throws -> LayerSubset {
    try LayerSubset(try #require(module.functions.first { $0.name == "decode" }), in: module)
  }

  /// A plan whose function `draft` leaves some branches out.
  private static func plan(_ model: String, without places: (LayerSubset) -> Set<Int>) throws -> PlanFile {
    var module = try module(model)
    let subset = try subset(module)
    module.functions.append(try subset.function(named: "draft", without: places(subset)))
    return try CompiledPlan(module, [Entry("context", "512")]).file
  }

  /// Attention and feed-forward block of every layer, each with what only it reads.
  @Test(arguments: models)
  func branchesAreFound(_ model: String) throws {
    let module = try Self.module(model)
    let decode = try #require(module.functions.first { $0.name == "decode" })
    let subset = try Self.subset(module)
    func count(_ function: Module.Function, _ operation: String) -> Int {
      function.graph.order.count { function.graph[$0].operation == operation }
    }
    let (attention, blocks) = (count(decode, "self_attention"), count(decode, "feed_forward"))
    #expect(attention > 1 && blocks == attention && subset.branches.count == attention + blocks)
    #expect(subset.branches.allSatisfy { $0.byteCount > 0 })
    for place in subset.branches.indices {
      let rest = try subset.function(named: "draft", without: [place])
      let left = [count(rest, "self_attention"), count(rest, "feed_forward")]
      // Branches alternate, attention first.
      #expect(left == (place % 2 == 0 ? [attention - 1, blocks] : [attention, blocks - 1]))
      // Caches of attention that is left out are neither read nor written.
      let caches = 2 * left[0]
      #expect(rest.graph.inputs.count { rest.graph[$0].type.rank == 4 } == caches)
      #expect(rest.graph.outputs.count == decode.graph.outputs.count - 2 * attention + caches)
      var whole = module
      whole.functions.append(rest)
      #expect(whole.violations(operators: OperatorSet.standard).isEmpty)
    }
  }

  /// With all layers everything is right; with fewer, what stays is right all the same.
  @Test(arguments: models)
  func textsAreThoseOfTheDecoder(_ model: String) throws {
    let pool = ThreadPool(threadCount: 2)
    var acceptance: [Double] = []
    let subsets: [(LayerSubset) -> Set<Int>] = [
      { _ in [] }, { [$0.branches.count - 1] }, { Set($0.branches.indices.dropFirst(2)) },
    ]
    for places in subsets {
      let decoder = try Generation.Decoder(try Self.plan(model, without: places), pool: pool)
      let drafting = try #require(try Drafting.make(.layers, for: decoder, pool: pool))
      let vocabulary = try #require(decoder.vocabularyCount)
      var total = DraftStatistics()
      for (seed, promptCount) in [1, 9, 40].enumerated() {
        let prompt = (0..<promptCount).map { TokenID(($0 * 7919 + 3) % vocabulary) }
        for temperature in [Float(0), 0.8] {
          var options = TokenGenerator.Options()
          options.maxTokens = 40
          (options.sampling.temperature, options.sampling.seed) = (temperature, UInt64(seed))
          let plain = try TokenGenerator(decoder, context: 512).generate(prompt, options)
          for length in [BlockLength.adaptive, .fixed(1), .fixed(4), .fixed(15)] {
            options.blockLength = length
            let output = try TokenGenerator(decoder, context: 512, drafting: drafting).generate(
              prompt, options)
            #expect(
              output.tokens == plain.tokens, "\(promptCount) tokens of prompt, \(length), \(temperature)")
            if length == .fixed(4) { total.add(output.statistics.draft) }
          }
        }
      }
      acceptance.append(total.acceptance)
    }
    #expect(acceptance[0] == 1 && acceptance[2] < 1 && acceptance[1] >= acceptance[2])
  }
}
