import Compiler
import Execution
import Foundation
import Kernels
import PlanFormat
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
    let bench = try DraftBench(try Self.pair.get(), kind, threads: threads)
    let drafted = try count(bench, rounds: 20, limit: 64) { options, logits throws(GenerationError) in
      try DraftTokenSource(
        bench.decoder, bench.drafting, Sampler(options.sampling, vocabularyCount: logits.count), options,
        context: bench.context, logits)
    }
    // N-grams may find nothing in a text of the model.
    #expect(kind == .ngram || drafted.allSatisfy { $0 > 0 })
  }

  /// The same for drafts whose runs give candidates, verified by the dense head or bounds.
  @Test(arguments: [false, true], [1, 2])
  func draftsOfCandidatesAllocateNothing(isBounded: Bool, threads: Int) throws {
    let model = try #require(Zoo.runnable.first { $0.testDescription == "llama/genai32" }).path
    let head = NoisyHead(isBounded: isBounded, capacity: 400, isPredicted: true)
    // As many positions as the model's own table has: a longer context takes general steps, which allocate.
    let bench = try DraftBench(try CompiledPlan(model, head, context: 256).file, .ngram, threads: threads)
    let mode = try HeadMode(bench.decoder.executor.plan)
    let drafted = try count(bench, rounds: 12, limit: 8) { options, logits throws(GenerationError) in
      try HeadTokenSource(
        bench.decoder, Sampler(options.sampling, vocabularyCount: logits.count), mode, options,
        context: bench.context, logits, drafting: bench.drafting)
    }
    #expect(drafted.contains { $0 > 0 })
  }

  /// A decoder and what drafts for it.
  private struct DraftBench {
    let pool: ThreadPool
    let decoder: Generation.Decoder
    let drafting: Drafting
    let context: Int

    init(_ plan: PlanFile, _ kind: Drafting.Kind, threads: Int) throws {
      (pool, context) = (ThreadPool(threadCount: threads), min(512, try plan.contextLength()))
      decoder = try Generation.Decoder(plan, pool: pool)
      drafting = try #require(try Drafting.make(kind, for: decoder, pool: pool))
    }
  }

  /// Expects that a source allocates nothing once it has run a few rounds, for some samplings and lengths of drafts.
  ///
  /// - Returns: the tokens that were drafted by each.
  private func count(
    _ bench: DraftBench, rounds: Int, limit: Int,
    _ source: (TokenGenerator.Options, UnsafeBufferPointer<Float>) throws(GenerationError) -> any TokenSource
  ) throws -> [Int] {
    let vocabularyCount = try #require(bench.decoder.vocabularyCount)
    let prompt = (0..<40).map { TokenID(($0 % 13) * 7919 % vocabularyCount) }
    var drafted: [Int] = []
    for sampling in Self.sampling.prefix(2) {
      for length in Self.lengths {
        var options = TokenGenerator.Options()
        (options.sampling, options.blockLength) = (sampling, length)
        try bench.decoder.reset(capacity: bench.context)
        try bench.drafting.drafter.reset(capacity: bench.context)
        try bench.decoder.feed(prompt, .last)
        try bench.drafting.drafter.keep(prompt, prompt.count, bench.decoder)
        let source = try source(options, try bench.decoder.logits())
        var statistics = GenerationStatistics()
        func advance(_ rounds: Int) throws {
          for _ in 0..<rounds {
            try source.advance(limit: limit, isCancelled: { false }, &statistics, onDrawn: { _ in })
          }
        }
        try advance(8)
        #expect(try allocations(bench.pool) { try advance(rounds) } == 0, "\(length), \(sampling)")
        drafted.append(statistics.draft.drafted)
      }
    }
    return drafted
  }
}
