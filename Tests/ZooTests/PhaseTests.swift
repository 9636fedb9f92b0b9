import Compiler
import Foundation
import Generation
import Kernels
import PlanFormat
import Tensors
import Testing
import Tokenization

/// Functions for one token, a block and a piece of the prompt do what the function for any number of tokens
/// does.
@Suite struct PhaseTests {
  /// The model of the repository, and exports that spell masks, caches and sizes in different ways.
  private static let models =
    [Zoo.tandem8M]
    + Zoo.runnable.filter {
      ["optimum", "genai32"].contains($0.exporter) || $0.testDescription == "gpt2/mobius"
    }.map(\.path)

  private func decoder(_ model: String, phases: Bool = true) throws -> Generation.Decoder {
    let plan = try CompiledPlan(model, disabling: phases ? [] : ["specialize-phases"])
    let names = plan.file.program.functions.map(\.name)
    #expect(names == (phases ? ["main", "decode", "block", "prefill"] : ["main"]))
    return try Generation.Decoder(plan.file, pool: ThreadPool(threadCount: 2))
  }

  private func prompt(_ count: Int, _ vocabulary: Int) -> [TokenID] {
    (0..<count).map { TokenID(($0 * 7919 + 3) % vocabulary) }
  }

  @Test(arguments: models)
  func tokensAndLogitsAreTheSameWithAndWithoutPhases(_ model: String) throws {
    let (with, without) = (try decoder(model), try decoder(model, phases: false))
    let ids = prompt(40, try #require(with.vocabularyCount))
    var options = TokenGenerator.Options()
    options.maxTokens = 12
    options.sampling.temperature = 0
    var tokens: [[TokenID]] = []
    // The whole prompt at once, and in pieces of which the last is shorter than a block.
    for (decoder, chunk) in [(with, 512), (with, 18), (without, 512)] {
      options.chunk = chunk
      tokens.append(try TokenGenerator(decoder, context: 64).generate(ids, options).tokens)
    }
    #expect(tokens[0] == tokens[2] && tokens[1] == tokens[2])

    for count in [1, 2, 16, 17, 40] {
      var last: [[Float]] = []
      for decoder in [with, without] {
        try decoder.reset(capacity: 64)
        try decoder.feed(ids[..<count], .last)
        last.append(Array(try decoder.logits()))
      }
      #expect(error(last[0], last[1]) <= 1e-5, "\(count) tokens")
    }
  }

  @Test(arguments: models)
  func aBlockGivesTheLogitsOfEveryToken(_ model: String) throws {
    let decoder = try decoder(model)
    let ids = prompt(36, try #require(decoder.vocabularyCount))
    try decoder.reset(capacity: 64)
    try decoder.feed(ids[..<20], .none)
    try decoder.feed(ids[20...], .all)
    let block = try (0..<16).map { Array(try decoder.logits(back: 15 - $0)) }
    #expect(decoder.count == 36)

    decoder.truncate(to: 20)
    for (row, id) in zip(block, ids[20...]) {
      try decoder.feed(CollectionOfOne(id), .last)
      #expect(error(row, Array(try decoder.logits())) <= 1e-5)
    }
    // More than a block falls back to the function for any number of tokens, whose products add in another
    // order; squared activations make more of that.
    decoder.truncate(to: 0)
    try decoder.feed(ids, .all)
    #expect(error(Array(try decoder.logits(back: 15)), block[0]) <= 3e-5)
  }

  /// The largest difference over the spread of what is expected.
  private func error(_ found: [Float], _ expected: [Float]) -> Float {
    guard found.count == expected.count else { return .infinity }
    let mean = expected.reduce(0, +) / Float(expected.count)
    let variance = expected.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(expected.count)
    return zip(found, expected).map { abs($0 - $1) }.max()! / variance.squareRoot()
  }
}
