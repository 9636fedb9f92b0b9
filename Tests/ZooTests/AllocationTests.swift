import AllocationCounter
import Compiler
import Foundation
import Kernels
import Synchronization
import Testing
import Tokenization

@testable import Generation

/// Decoding takes no memory: after the first few tokens neither the calling thread nor a worker allocates.
@Suite(.serialized, .enabled(if: ac_is_available())) struct AllocationTests {
  /// The model of the repository, and exports that have masks, positions, windows and norms of heads.
  private static let models =
    [Zoo.tandem8M]
    + Zoo.runnable.filter {
      [
        "gemma3_text/optimum", "llama/genai32", "gpt2/mobius", "qwen3/dynamo20", "phi3/optimum",
        "opt/optimum",
      ]
      .contains($0.testDescription)
    }.map(\.path)

  static let sampling: [SamplingOptions] = {
    var options = [SamplingOptions](repeating: SamplingOptions(), count: 4)
    for index in 1..<4 { options[index].temperature = 0.8 }
    (options[1].topP, options[1].repetitionPenalty) = (0.9, 1.1)
    (options[2].topK, options[2].topP) = (40, 0.9)
    options[3].minP = 0.05
    return options
  }()

  @Test(arguments: models, [1, 2])
  func aTokenAllocatesNothing(_ model: String, threads: Int) throws {
    // Both types of caches meet one thread and more.
    let kvCache: ConversionOptions.CacheFormat =
      (Self.models.firstIndex(of: model)! + threads) % 2 == 0 ? .f16 : .f32
    let pool = ThreadPool(threadCount: threads)
    let decoder = try Generation.Decoder(try CompiledPlan(model, kvCache: kvCache).file, pool: pool)
    try decoder.reset(capacity: 64)
    try decoder.feed((0..<20).map { TokenID($0 + 3) }, .last)
    for options in Self.sampling {
      decoder.truncate(to: 20)
      let sampler = Sampler(options, vocabularyCount: try decoder.logits().count)
      func decode(_ count: Int) throws {
        for _ in 0..<count {
          let token = try sampler.next(try decoder.logits(), position: decoder.count)
          sampler.observe(token)
          try decoder.feed(token)
        }
      }
      try decode(3)
      #expect(try allocations(pool) { try decode(40) } == 0, "\(options)")
    }
  }

  /// Drawing from candidates, keeping hidden states and verifying them; the operators that stand in for a
  /// predictor do allocate.
  @Test(arguments: [1, 2])
  func candidatesAreDrawnAndVerifiedWithoutAllocating(threads: Int) throws {
    let pool = ThreadPool(threadCount: threads)
    let model = try #require(Zoo.runnable.first { $0.testDescription == "llama/genai32" }).path
    let decoder = try Generation.Decoder(try CompiledPlan(model, NoisyHead(deviation: 0.3)).file, pool: pool)
    let head = try #require(decoder.denseHead)
    try decoder.reset(capacity: 64)
    try decoder.feed((0..<20).map { TokenID($0 + 3) }, .none)
    for options in Self.sampling {
      let sampler = Sampler(options, vocabularyCount: head.vocabularyCount)
      var token: TokenID = 5
      var count = 0
      for round in 0..<6 {
        if round == 1 { count = 0 }
        head.removeAll()
        for _ in 0..<6 {
          try decoder.feed(token, .candidates)
          count += try allocations(pool) {
            head.keep(decoder.hiddenState())
            token = try sampler.next(decoder.candidates(), position: decoder.count) ?? 5
            sampler.observe(token)
          }
        }
        count += try allocations(pool) {
          try head.run()
          for row in 0..<6 { token = try sampler.next(head.logits(row), position: 20 + row) }
          decoder.truncate(to: 20)
        }
      }
      #expect(count == 0, "\(options)")
    }
  }

  /// The decode loop of a HiRE head: candidates of a predictor, verified by the dense head or bounds, or certified.
  @Test(
    arguments: [1, 2],
    [
      ("none", false, false), ("deferred", false, false), ("deferred", true, true),
      ("certified", true, false),
      ("certified", true, true),
    ])
  func exactModesAllocateNothing(threads: Int, _ mode: (exactness: String, isBounded: Bool, isNested: Bool))
    throws
  {
    let pool = ThreadPool(threadCount: threads)
    let model = try #require(Zoo.runnable.first { $0.testDescription == "llama/genai32" }).path
    let head = NoisyHead(
      exactness: mode.exactness, isBounded: mode.isBounded, capacity: 400, isNested: mode.isNested,
      isPredicted: true)
    let context = 256
    let file = try CompiledPlan(model, head, context: context).file
    let decoder = try Generation.Decoder(file, pool: pool)
    let vocabularyCount = try #require(decoder.denseHead).vocabularyCount
    var (proved, replaced) = (0, 0)
    for sampling in Self.sampling {
      try decoder.reset(capacity: context)
      try decoder.feed((0..<20).map { TokenID($0 + 3) }, .last)
      let source = try HeadTokenSource(
        decoder, Sampler(sampling, vocabularyCount: vocabularyCount), try HeadMode(file),
        TokenGenerator.Options(), context: context, try decoder.logits())
      var statistics = GenerationStatistics()
      func decode(_ count: Int) throws {
        for _ in 0..<count {
          try source.advance(limit: 16, isCancelled: { false }, &statistics, onDrawn: { _ in })
        }
      }
      try decode(4)
      #expect(try allocations(pool) { try decode(8) } == 0, "\(sampling)")
      proved += statistics.survivors.counts.reduce(0, +) - statistics.overflows
      replaced += statistics.mismatches
    }
    #expect(!mode.isBounded || proved > 20, "bounds that never tell are no test")
    #expect(mode.exactness != "deferred" || replaced > 0, "nor are candidates that are always right")
  }

  @Test func allocationsOfEveryThreadCount() throws {
    let pool = ThreadPool(threadCount: 3)
    for chosen in 0..<3 {
      let count = try allocations(pool) {
        pool.together { index in
          guard index == chosen else { return }
          UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 16).deallocate()
        }
      }
      #expect(count == 1)
    }
  }

  /// Allocations of the calling thread and of the workers of a pool.
  func allocations(_ pool: ThreadPool, _ body: () throws -> Void) throws -> Int {
    pool.together { _ in ac_watch_thread(true) }
    let before = ac_count()
    defer { pool.together { _ in ac_watch_thread(false) } }
    try body()
    return ac_count() - before
  }
}

extension ThreadPool {
  /// Calls `body` once on every thread.
  fileprivate func together(_ body: (Int) -> Void) {
    let arrived = Atomic<Int>(0)
    forEach(threadCount) { index in
      body(index)
      arrived.add(1, ordering: .relaxed)
      // No thread takes a second index.
      while arrived.load(ordering: .relaxed) < threadCount { sched_yield() }
    }
  }
}
