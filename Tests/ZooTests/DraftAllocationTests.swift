import Compiler
import Foundation
import Kernels
import Testing
import Tokenization

@testable import Generation

extension AllocationTests {
  private static let pair = Result {
    let small = URL(fileURLWithPath: Zoo.tandem8M).deletingLastPathComponent().appending(path: "small.onnx")
      .path
    return try CompiledPlan(Zoo.tandem8M, small: small).file
  }

  private static let lengths: [BlockLength] = [.fixed(1), .fixed(4), .fixed(15), .adaptive]

  /// Proposing, verifying, refreshing and rolling back, for drafts that are right and wrong.
  @Test(arguments: [Drafting.Kind.ngram, .tandem], [1, 2])
  func draftsAreMadeAndVerifiedWithoutAllocating(_ kind: Drafting.Kind, threads: Int) throws {
    let pool = ThreadPool(threadCount: threads)
    let decoder = try Generation.Decoder(try Self.pair.get(), pool: pool)
    let drafting = try #require(try Drafting.make(kind, for: decoder, pool: pool))
    let prompt = [0] + (1..<40).map { TokenID(($0 % 13) * 7919 % 16384) }
    for sampling in Self.sampling.prefix(2) {
      for length in Self.lengths {
        var options = TokenGenerator.Options()
        (options.sampling, options.blockLength) = (sampling, length)
        try decoder.reset(capacity: 512)
        try drafting.drafter.reset(capacity: 512)
        try decoder.feed(prompt, .last)
        try drafting.drafter.keep(prompt, prompt.count, decoder)
        let logits = try decoder.logits()
        let sampler = Sampler(sampling, vocabularyCount: logits.count)
        let source = try DraftTokenSource(decoder, drafting, sampler, options, context: 512, logits)
        var statistics = GenerationStatistics()
        func advance(_ rounds: Int) throws {
          for _ in 0..<rounds {
            try source.advance(limit: 64, isCancelled: { false }, &statistics, onDrawn: { _ in })
          }
        }
        try advance(8)
        #expect(try allocations(pool) { try advance(20) } == 0, "\(length), \(sampling)")
        if kind == .tandem { #expect(statistics.draft.drafted > 0) }
      }
    }
  }

  /// The same for drafts whose runs give candidates, verified by the dense head or bounds.
  @Test(arguments: [false, true], [1, 2])
  func draftsOfCandidatesAllocateNothing(isBounded: Bool, threads: Int) throws {
    let pool = ThreadPool(threadCount: threads)
    let model = try #require(Zoo.runnable.first { $0.testDescription == "llama/genai32" }).path
    let head = NoisyHead(isBounded: isBounded, capacity: 400, isPredicted: true)
    let file = try CompiledPlan(model, head, context: 256).file
    let decoder = try Generation.Decoder(file, pool: pool)
    let drafting = try #require(try Drafting.make(.ngram, for: decoder, pool: pool))
    let vocabularyCount = try #require(decoder.denseHead).vocabularyCount
    let prompt = (0..<40).map { TokenID(($0 % 13) * 7919 % vocabularyCount) }
    var drafted = 0
    for sampling in Self.sampling.prefix(2) {
      for length in Self.lengths {
        var options = TokenGenerator.Options()
        (options.sampling, options.blockLength) = (sampling, length)
        try decoder.reset(capacity: 256)
        try drafting.drafter.reset(capacity: 256)
        try decoder.feed(prompt, .last)
        try drafting.drafter.keep(prompt, prompt.count, decoder)
        let source = try HeadTokenSource(
          decoder, Sampler(sampling, vocabularyCount: vocabularyCount), try HeadMode(file), options,
          context: 256,
          try decoder.logits(), drafting: drafting)
        var statistics = GenerationStatistics()
        func advance(_ rounds: Int) throws {
          for _ in 0..<rounds {
            try source.advance(limit: 8, isCancelled: { false }, &statistics, onDrawn: { _ in })
          }
        }
        try advance(6)
        #expect(try allocations(pool) { try advance(12) } == 0, "\(length), \(sampling)")
        drafted += statistics.draft.drafted
      }
    }
    #expect(drafted > 0)
  }
}
