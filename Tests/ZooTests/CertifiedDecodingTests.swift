import Foundation
import Generation
import Kernels
import TestSupport
import Testing
import Tokenization

/// Tokens that bounds prove are those of dense decoding, however bad the candidates.
@Suite struct CertifiedDecodingTests {
  private static func path(_ name: String) -> String {
    Zoo.runnable.first { $0.testDescription == name }?.path ?? name
  }

  /// Models, the noise of the predictor, and the rows that bounds may leave.
  private static let cases: [(model: String, deviation: Float, capacity: Int)] =
    ["gemma3_text/optimum", "llama/genai32", "gpt2/mobius", "qwen3/dynamo20"].map(path)
    .flatMap { model in [(0, 200), (0.3, 60), (1000, 200), (1000, 3)].map { (model, Float($0.0), $0.1) } }
    + [(Zoo.tandem8M, 3, 2000)]

  /// With whether bounds can tell: top-p over all tokens and raised tokens they cannot.
  private static let sampling: [(options: SamplingOptions, isCertifiable: Bool)] = {
    var options = [SamplingOptions](repeating: SamplingOptions(), count: 11)
    for index in 1..<9 { (options[index].temperature, options[index].seed) = (0.8, UInt64(index)) }
    options[2].topK = 5
    (options[3].topK, options[3].topP) = (6, 0.9)
    (options[4].topK, options[4].minP) = (5, 0.02)
    options[5].minP = 0.3
    (options[6].topK, options[6].repetitionPenalty, options[6].bannedTokens) = (4, 1.4, [3, 5, 8])
    options[7].topP = 0.9
    (options[8].temperature, options[8].repetitionPenalty) = (1.3, 0.8)
    options[9].repetitionPenalty = 1.5
    options[10].bannedTokens = [1, 2, 3, 4, 5]
    return options.enumerated().map { ($0.element, ![7, 8].contains($0.offset)) }
  }()

  @Test(arguments: cases)
  func tokensAreThoseOfDenseDecoding(_ model: String, deviation: Float, capacity: Int) throws {
    try check(model, NoisyHead(deviation: deviation, exactness: "certified", capacity: capacity))
  }

  /// Bounds from the high nibbles of the head itself, with good candidates, bad ones, and none that can be told.
  @Test(arguments: [(0, 400), (1000, 400), (1000, 3)] as [(Float, Int)])
  func nestedPlanesProveTokens(deviation: Float, capacity: Int) throws {
    for model in ["gemma3_text/optimum", "llama/genai32"] {
      try check(
        Self.path(model),
        NoisyHead(deviation: deviation, exactness: "certified", capacity: capacity, isNested: true))
    }
  }

  private func check(_ model: String, _ head: NoisyHead) throws {
    let plan = try CompiledPlan(model, head)
    let pool = ThreadPool(threadCount: 2)
    let hire = try Generation.Decoder(plan.file, pool: pool)
    let dense = try Generation.Decoder(plan.file, pool: pool, head: .dense)
    let vocabulary = try #require(dense.vocabularyCount)
    let prompt = (0..<9).map { TokenID(($0 * 7919 + 3) % vocabulary) }
    var certified = 0
    for (sampling, isCertifiable) in Self.sampling {
      var options = TokenGenerator.Options()
      (options.maxTokens, options.sampling) = (60, sampling)
      let a = try TokenGenerator(hire, context: 512).generate(prompt, options)
      let b = try TokenGenerator(dense, context: 512).generate(prompt, options)
      #expect(a.tokens == b.tokens, "\(sampling)")
      let statistics = a.statistics
      let noted = statistics.survivors.counts.reduce(0, +)
      // The first token comes from the prompt. A ban may leave nothing of the candidates.
      #expect(noted - statistics.overflows + statistics.denseFallbacks == 59, "\(sampling)")
      if !isCertifiable { #expect(statistics.denseFallbacks == 59 && noted == 0, "\(sampling)") }
      #expect(b.statistics.survivors == SurvivorCounts())
      certified += noted - statistics.overflows
    }
    if head.capacity > 100 { #expect(certified > 59, "bounds that never tell are no test") }
  }

  @Test func classesOfSurvivors() {
    var counts = SurvivorCounts()
    for survivors in [0, 0, 1, 9, 10, 99, 100, 999, 5000, 99_999, 100_000, 1_000_000] {
      counts.note(survivors)
    }
    #expect(counts.counts == [2, 2, 2, 2, 1, 1, 2])
    #expect(counts.labels == ["0", "1-9", "10-99", "100-999", "1000-9999", "10000-99999", "100000-"])
    #expect((counts + counts).counts == counts.counts.map { 2 * $0 })
  }

  /// A plan that was made without bounds has none.
  @Test func plansWithoutBoundsAreRefused() throws {
    let plan = try CompiledPlan(Self.cases[0].model, NoisyHead())
    #expect {
      try HeadMode(plan.file, exactness: .certified)
    } throws: { error in
      "\(error)".contains(
        "holds no bounds, which --exact certified needs; convert again with --head hire --exact")
    }
    #expect(try HeadMode(plan.file).exactness == .deferred)
  }
}
