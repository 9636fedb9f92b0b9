import Foundation
import Generation
import Kernels
import TestSupport
import Testing
import Tokenization

/// Tokens that candidates give and the dense head verifies are those of dense decoding, however bad the candidates.
@Suite struct DeferredVerificationTests {
  private static func path(_ name: String) -> String {
    Zoo.runnable.first { $0.testDescription == name }?.path ?? name
  }

  /// Small ones with weights of chance.
  private static let models = ["gemma3_text/optimum", "llama/genai32", "gpt2/mobius", "qwen3/dynamo20"]
    .map(path)

  /// Models, the noise of the predictor, from candidates that are the likeliest tokens to candidates that are
  /// chance; and the rows that bounds may leave, where there are bounds.
  private static let cases: [(model: String, deviation: Float, bounds: Int?)] = {
    typealias Case = (model: String, deviation: Float, bounds: Int?)
    var cases: [Case] = [(Zoo.tandem8M, 3, nil), (Zoo.tandem8M, 3, 2000)]
    for (index, model) in models.enumerated() {
      let deviations: [Float] = [0, 0.3, 1000]
      for deviation in deviations { cases.append((model, deviation, nil)) }
      let bounded: [(Float, Int)] = [(0, 400), (1000, 400), (1000, 3)]
      for (deviation, bounds) in index < 2 ? bounded : [] { cases.append((model, deviation, bounds)) }
    }
    return cases
  }()

  private static let sampling: [SamplingOptions] = {
    var options = [SamplingOptions](repeating: SamplingOptions(), count: 6)
    for index in 1..<6 { (options[index].temperature, options[index].seed) = (0.8, UInt64(index)) }
    options[2].topP = 0.9
    (options[3].topK, options[3].minP) = (5, 0.02)
    options[4].repetitionPenalty = 1.4
    options[5].repetitionPenalty = 0.8
    options[5].bannedTokens = [3, 5, 8]
    return options
  }()

  private struct Pair {
    let hire: Generation.Decoder
    let dense: Generation.Decoder
    let prompt: [TokenID]

    init(_ model: String, _ head: NoisyHead) throws {
      let plan = try CompiledPlan(model, head)
      let pool = ThreadPool(threadCount: 2)
      hire = try Generation.Decoder(plan.file, pool: pool)
      dense = try Generation.Decoder(plan.file, pool: pool, head: .dense)
      let vocabulary = try #require(dense.vocabularyCount)
      prompt = (0..<9).map { TokenID(($0 * 7919 + 3) % vocabulary) }
    }

    func outputs(
      _ options: TokenGenerator.Options, context: Int = 512,
      onToken: (TokenID) -> TokenGenerator.Ending? = { _ in nil }
    ) throws -> (hire: TokenGenerator.Output, dense: TokenGenerator.Output) {
      (
        try TokenGenerator(hire, context: context).generate(prompt, options, onToken: onToken),
        try TokenGenerator(dense, context: context).generate(
          prompt, Self.dense(options), onToken: onToken)
      )
    }

    private static func dense(_ options: TokenGenerator.Options) -> TokenGenerator.Options {
      var options = options
      options.exactness = nil
      return options
    }
  }

  private func options(_ tokens: Int, _ sampling: SamplingOptions = SamplingOptions())
    -> TokenGenerator.Options
  {
    var options = TokenGenerator.Options()
    (options.maxTokens, options.sampling) = (tokens, sampling)
    return options
  }

  @Test(arguments: cases)
  func tokensAreThoseOfDenseDecoding(_ model: String, deviation: Float, bounds: Int?) throws {
    let pair = try Pair(
      model,
      NoisyHead(
        deviation: deviation, isBounded: bounds != nil, capacity: bounds ?? 0, isNested: bounds != nil))
    for (index, sampling) in Self.sampling.enumerated() {
      var options = options(60, sampling)
      options.verifiedTokens = [16, 16, 5, 1, 16, 16][index]
      let (hire, dense) = try pair.outputs(options)
      #expect(hire.tokens == dense.tokens, "\(sampling)")
      #expect(hire.tokens.count == 60 && hire.ending == .maxTokens)
      let statistics = hire.statistics
      #expect(statistics.generatedTokens == 60 && statistics.tokenSeconds.count == 59)
      #expect(statistics.verifiedPasses * options.verifiedTokens >= 59)
      #expect(dense.statistics.verifiedPasses == 0)
      if deviation == 0, sampling.temperature == 0 {
        // The likeliest token is a candidate; blocks of 4, 8, and what these suggest.
        #expect(statistics.mismatches == 0 && statistics.discardedTokens == 0)
        #expect(statistics.verifiedPasses < 20)
      }
      let proved = statistics.survivors.counts.reduce(0, +) - statistics.overflows
      let hasBounds = sampling.topP == 1 && sampling.topK == 0 && sampling.repetitionPenalty >= 1
      if let bounds, bounds > 10, hasBounds { #expect(proved > 20, "\(sampling)") }
      if bounds == nil { #expect(proved == 0) }
      if deviation == 1000 { #expect(statistics.mismatches + statistics.denseFallbacks > 10) }
    }
  }

  /// Without verification the same candidates give other tokens, or the test above would see nothing.
  @Test func withoutVerificationTokensDiffer() throws {
    let pair = try Pair(Self.models[0], NoisyHead(deviation: 1000))
    var options = options(20)
    options.exactness = HeadMode.Exactness.none
    let (hire, dense) = try pair.outputs(options)
    #expect(hire.tokens.count == 20 && hire.tokens != dense.tokens)
    #expect(hire.tokens[0] == dense.tokens[0], "the prompt ends with dense logits")
    #expect(hire.statistics.verifiedPasses == 0 && hire.statistics.denseFallbacks == 0)
  }

  /// With every token a candidate nothing needs verification.
  @Test func allTokensAsCandidatesNeedNoVerification() throws {
    let pair = try Pair(Self.models[1], NoisyHead(count: .max, deviation: 3))
    for sampling in Self.sampling {
      var options = options(40, sampling)
      options.exactness = HeadMode.Exactness.none
      let (hire, dense) = try pair.outputs(options)
      #expect(hire.tokens == dense.tokens, "\(sampling)")
      #expect(hire.statistics.denseFallbacks == 0)
    }
  }

  // MARK: Endings in the middle of a block

  @Test(arguments: [Float(0), 0.3])
  func endingsAreThoseOfDenseDecoding(_ deviation: Float) throws {
    let pair = try Pair(Self.models[1], NoisyHead(deviation: deviation))
    let whole = try pair.outputs(options(40)).dense.tokens
    for count in [1, 2, 5, 9, 15, 16, 17, 18, 24, 33, 34] {
      let (hire, dense) = try pair.outputs(options(count))
      #expect(hire.tokens == dense.tokens && hire.ending == .maxTokens)

      // A stop token, the first time that it comes.
      var stopping = options(40)
      stopping.stopTokens = [whole[count]]
      let stopped = try pair.outputs(stopping)
      #expect(stopped.hire.tokens == stopped.dense.tokens)
      #expect(stopped.hire.ending == .stopToken && stopped.dense.ending == .stopToken)

      // The caller's word.
      var given = 0
      let asked = try TokenGenerator(pair.hire, context: 512).generate(
        pair.prompt, options(40),
        onToken: { token in
          #expect(token == whole[given])
          given += 1
          return given == count ? .stopString : nil
        })
      #expect(asked.tokens == Array(whole.prefix(count)) && asked.ending == .stopString)

      // The end of the context: the last token drawn is not fed any more.
      let full = try pair.outputs(options(40), context: pair.prompt.count + count)
      #expect(full.hire.tokens == full.dense.tokens && full.hire.tokens.count == min(40, count + 1))
      #expect(full.hire.ending == full.dense.ending)

      // What was drawn when it is cancelled is settled.
      var polls = 0
      let cancelled = try TokenGenerator(pair.hire, context: 512).generate(
        pair.prompt, options(40),
        isCancelled: {
          polls += 1
          return polls == count
        })
      #expect(cancelled.tokens == Array(whole.prefix(cancelled.tokens.count)))
      #expect(cancelled.ending == .cancelled && cancelled.tokens.count < 40)
    }
  }

  @Test func drawnTokensAreTold() throws {
    let pair = try Pair(Self.models[1], NoisyHead(deviation: 0.3))
    var (drawn, pending, settled): ([TokenID], [TokenID], [TokenID]) = ([], [], [])
    let output = try TokenGenerator(pair.hire, context: 512).generate(
      pair.prompt, options(50),
      onDrawn: { token in
        drawn.append(token)
        pending.append(token)
      },
      onToken: { token in
        if !pending.isEmpty, pending.removeFirst() != token { pending = [] }
        settled.append(token)
        return nil
      })
    #expect(settled == output.tokens && drawn.count == 49 + output.statistics.discardedTokens)
    #expect(output.statistics.mismatches > 0)
  }
}
