import Compiler
import Foundation
import Generation
import Kernels
import TestSupport
import Testing
import Tokenization

/// The bits of logits depend on the tokens before them alone: not on how these were split into runs of up to
/// sixteen, and not on the number of threads.
@Suite struct BatchInvarianceTests {
  /// A format, and how many sequences of how many tokens are looked at.
  struct Case: CustomTestStringConvertible, Sendable {
    var weights: ConversionOptions.WeightFormat
    var kvCache = ConversionOptions.CacheFormat.f32
    var sequences = 1, length = 150

    var testDescription: String {
      "\(sequences) x \(length) tokens, \(weights.rawValue), caches \(kvCache.rawValue)"
    }
  }

  @Test(arguments: [
    Case(weights: .f32, sequences: 4, length: 500), Case(weights: .bf16), Case(weights: .q8),
    Case(weights: .q6), Case(weights: .q5), Case(weights: .q4),
    Case(weights: .q8, kvCache: .f16, sequences: 4, length: 500),
  ])
  func logitsAreTheSameBitForBit(_ test: Case) throws {
    let plan = try CompiledPlan(Zoo.tandem8M, weights: test.weights, kvCache: test.kvCache)
    var random = SeededGenerator(seed: 11)
    for sequence in 0..<test.sequences {
      let tokens = (0..<test.length).map { _ in TokenID.random(in: 0..<16384, using: &random) }
      func decoder(threads: Int) throws -> Generation.Decoder {
        let decoder = try Generation.Decoder(plan.file, pool: ThreadPool(threadCount: threads % 4 + 1))
        try decoder.reset(capacity: test.length)
        return decoder
      }
      let single = try decoder(threads: sequence)
      var expected: [[Float]] = []
      for token in tokens {
        try single.feed(token)
        expected.append(Array(try single.logits()))
      }
      // Over four sequences every number of threads meets single tokens and splits.
      for other in 1...3 {
        let decoder = try decoder(threads: sequence + other)
        while decoder.count < test.length {
          let rows = min(Int.random(in: 1...16, using: &random), test.length - decoder.count)
          try decoder.feed(tokens[decoder.count..<decoder.count + rows], .all)
          for back in 0..<rows {
            let place = decoder.count - 1 - back
            #expect(
              Self.areEqual(try decoder.logits(back: back), expected[place]),
              "token \(place) in a run of \(rows), \((sequence + other) % 4 + 1) threads")
          }
        }
      }
    }
  }

  /// More tokens per run: what is left in the caches depends on how a prompt is split, but not on threads.
  @Test(arguments: [
    Case(weights: .f32), Case(weights: .bf16), Case(weights: .q8), Case(weights: .q8, kvCache: .f16),
  ])
  func promptsDoNotDependOnTheThreadCount(_ test: Case) throws {
    let plan = try CompiledPlan(Zoo.tandem8M, weights: test.weights, kvCache: test.kvCache)
    let tokens = (0..<300).map { TokenID(($0 * 7919 + 3) % 16384) }
    let rows = try (1...4).map { threads in
      let decoder = try Generation.Decoder(plan.file, pool: ThreadPool(threadCount: threads))
      try decoder.reset(capacity: 301)
      try decoder.feed(tokens, .last)
      let prompt = Array(try decoder.logits())
      try decoder.feed(7)
      return prompt + Array(try decoder.logits())
    }
    for (index, row) in rows.enumerated() {
      #expect(row.withUnsafeBufferPointer { Self.areEqual($0, rows[0]) }, "\(index + 1) threads")
    }
  }

  /// Whether all bits agree: zeros of both signs differ.
  private static func areEqual(_ found: UnsafeBufferPointer<Float>, _ expected: [Float]) -> Bool {
    found.count == expected.count
      && expected.withUnsafeBytes { memcmp($0.baseAddress!, found.baseAddress!, $0.count) == 0 }
  }
}
