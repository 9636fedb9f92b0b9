import Foundation
import Kernels
import TestSupport
import Testing
import Tokenization

@testable import Generation

/// Drafts of a plan with a HiRE head: candidates verify them, and the dense head verifies what candidates give.
@Suite struct HireDraftTests {
  /// Proposes tokens of a given text, every third of them wrong.
  private final class ScriptedDrafter: Drafter {
    let script: [TokenID]
    private(set) var kept: [TokenID] = []
    private var proposed = 0

    init(_ script: [TokenID]) { self.script = script }

    func reset(capacity: Int) { kept = [] }
    func keep(_ tokens: [TokenID], _ count: Int, _ decoder: Generation.Decoder) {
      kept += tokens.prefix(count)
      #expect(kept.count == decoder.count)
    }
    func begin(after token: TokenID) {}
    func propose(position: Int, _ sampler: Sampler) -> Proposal? {
      proposed += 1
      let token = position < script.count ? script[position] : 0
      return Proposal(token: proposed % 3 == 0 ? (token + 1) % 100 : token, confidence: 0.8)
    }
    func forget(from count: Int) { kept.removeLast(max(0, kept.count - count)) }
  }

  private static let model = Zoo.runnable.first { $0.testDescription == "llama/genai32" }!.path

  private static let sampling: [SamplingOptions] = {
    var options = [SamplingOptions](repeating: SamplingOptions(), count: 3)
    (options[2].temperature, options[2].seed) = (0.9, 5)
    (options[1].temperature, options[1].topK, options[1].repetitionPenalty, options[1].seed) = (
      0.8, 5, 1.4, 3
    )
    return options
  }()

  private static let lengths: [BlockLength] = [.adaptive, .fixed(3), .fixed(15)]

  /// Candidates that are often right, and some that hardly are; verified by the dense head, and by bounds.
  @Test(arguments: [Float(0.02), 1], [false, true])
  func deferredTextsAreThoseOfTheDenseHead(deviation: Float, isBounded: Bool) throws {
    let pool = ThreadPool(threadCount: deviation < 1 ? 1 : 2)
    let plan = try CompiledPlan(
      Self.model, NoisyHead(deviation: deviation, isBounded: isBounded, capacity: 400)
    ).file
    let denseDecoder = try Generation.Decoder(plan, pool: pool, head: .dense)
    let dense = TokenGenerator(denseDecoder, context: 512)
    let decoder = try Generation.Decoder(plan, pool: pool)
    let prompt = (0..<9).map { TokenID(($0 * 7919 + 3) % decoder.vocabularyCount!) }
    for sampling in Self.sampling {
      var options = TokenGenerator.Options()
      (options.maxTokens, options.sampling) = (30, sampling)
      let expected = try dense.generate(prompt, options)
      for length in Self.lengths {
        options.blockLength = length
        options.exactness = .deferred
        let script = prompt + expected.tokens
        let drafters: [any Drafter] = [ScriptedDrafter(script), NgramDrafter()]
        for drafter in drafters {
          let generator = TokenGenerator(decoder, context: 512, drafting: Drafting(.ngram, drafter, decoder))
          let output = try generator.generate(prompt, options)
          #expect(output.tokens == expected.tokens, "\(drafter), \(length), \(sampling)")
          let bounded = output.statistics.survivors.counts.reduce(0, +)
          #expect((bounded > 0) == (isBounded && sampling.topK == 0), "\(drafter), \(length), \(sampling)")
          if let scripted = drafter as? ScriptedDrafter { #expect(scripted.kept == Array(script.dropLast())) }

          // Endings in the middle of a draft.
          var stopping = options
          stopping.stopTokens = [expected.tokens[14]]
          let stopped = try generator.generate(prompt, stopping)
          #expect(
            stopped.tokens == Array(expected.tokens.prefix { $0 != expected.tokens[14] }) + [
              expected.tokens[14]
            ])
          #expect(stopped.ending == .stopToken)
          let context = prompt.count + 20
          let full = try TokenGenerator(
            decoder, context: context, drafting: Drafting(.ngram, drafter, decoder)
          ).generate(prompt, options)
          var plainly = options
          plainly.exactness = nil
          let plainlyFull = try TokenGenerator(denseDecoder, context: context).generate(prompt, plainly)
          #expect(full.tokens == plainlyFull.tokens && full.ending == .contextFull)
          var polls = 0
          let cancelled = try generator.generate(
            prompt, options,
            isCancelled: {
              polls += 1
              return polls == 9
            })
          #expect(cancelled.ending == .cancelled && cancelled.tokens.count < 30)
          #expect(cancelled.tokens == Array(expected.tokens.prefix(cancelled.tokens.count)))
        }
      }
    }
  }

  /// Without verification the text is that of the candidates alone.
  @Test func undeferredTextsAreThoseOfCandidates() throws {
    let pool = ThreadPool(threadCount: 2)
    let plan = try CompiledPlan(Self.model, NoisyHead(deviation: 0.3)).file
    let decoder = try Generation.Decoder(plan, pool: pool)
    let prompt = (0..<9).map { TokenID(($0 * 7919 + 3) % decoder.vocabularyCount!) }
    for sampling in Self.sampling {
      var options = TokenGenerator.Options()
      (options.maxTokens, options.sampling, options.exactness) = (30, sampling, HeadMode.Exactness.none)
      let expected = try TokenGenerator(decoder, context: 512).generate(prompt, options)
      for length in Self.lengths {
        options.blockLength = length
        let drafting = Drafting(.ngram, ScriptedDrafter(prompt + expected.tokens), decoder)
        let output = try TokenGenerator(decoder, context: 512, drafting: drafting).generate(prompt, options)
        #expect(output.tokens == expected.tokens, "\(length), \(sampling)")
        #expect(length == .adaptive || output.statistics.draft.accepted > 0)
      }
    }
  }
}
