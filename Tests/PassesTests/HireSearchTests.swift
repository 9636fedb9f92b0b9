import Foundation
import GraphIR
import Kernels
import Operators
import Tensors
import TestSupport
import Testing

@testable import Passes

/// How predictors of a head are found, on small heads whose answers can be computed plainly.
@Suite struct HireSearchTests {
  /// Hidden states in few directions, and a head.
  private static func problem(states: Int, vocabulary: Int, width: Int, directions: Int) -> (Tensor, Tensor) {
    var random = SeededGenerator(seed: 5)
    func normal() -> Float {
      let (u, v) = (Double.random(in: 1e-9..<1, using: &random), Double.random(in: 0..<1, using: &random))
      return Float((-2 * log(u)).squareRoot() * cos(2 * Double.pi * v))
    }
    let basis = (0..<(directions * width)).map { _ in normal() }
    var rows: [Float] = []
    for _ in 0..<states {
      let strengths = (0..<directions).map { normal() / Float($0 + 1) }
      for column in 0..<width {
        rows.append(
          strengths.indices.reduce(0.05 * normal()) { $0 + strengths[$1] * basis[$1 * width + column] })
      }
    }
    return (
      Tensor(f32: rows, [states, width]),
      Tensor(f32: (0..<(vocabulary * width)).map { _ in normal() }, [vocabulary, width])
    )
  }

  @Test func coordinatesAreWhiteAndGiveTheHiddenStateBack() throws {
    let (states, weights) = Self.problem(states: 100, vocabulary: 300, width: 48, directions: 12)
    let pool = ThreadPool(threadCount: 2)
    let basis = try HeadBasis(states: states, rows: 100, weights: weights, pool: pool)
    let h = states.array(of: Float.self)
    for rotated in [0, 16] {
      let (projection, mixing) = (
        basis.projection(count: 48, rotated: rotated, pool), basis.mixing(count: 48, rotated: rotated, pool)
      )
      var variance = [Double](repeating: 0, count: 48)
      for row in 0..<100 {
        let z = (0..<48).map { c in
          (0..<48).reduce(Float(0)) { $0 + projection[c * 48 + $1] * h[row * 48 + $1] }
        }
        for c in 0..<48 { variance[c] += Double(z[c] * z[c]) / 100 }
        for k in 0..<48 {
          let back = (0..<48).reduce(Float(0)) { $0 + mixing[k * 48 + $1] * z[$1] }
          #expect(abs(back - h[row * 48 + k]) < 2e-2 * max(1, abs(h[row * 48 + k])))
        }
      }
      #expect(variance[..<12].allSatisfy { abs($0 - 1) < 0.2 }, "\(variance)")
    }
  }

  @Test func ranksAreThoseOfPlainScores() throws {
    let (states, weights) = Self.problem(states: 8, vocabulary: 1100, width: 48, directions: 12)
    let pool = ThreadPool(threadCount: 2)
    let basis = try HeadBasis(states: states, rows: 8, weights: weights, pool: pool)
    let ranks = PredictorRanks(states, weights, bias: nil, k: 5, basis: basis, pool: pool)
    let (h, w) = (states.array(of: Float.self), weights.array(of: Float.self))
    let trial = PredictorTrial(rank: 32, coding: .rows(.q8b32))
    let found = ranks.ranks(trial)
    let (projection, mixing) = (
      basis.projection(count: 32, rotated: trial.rotated, pool),
      basis.mixing(count: 32, rotated: trial.rotated, pool)
    )
    for state in 0..<8 {
      let logits = (0..<1100).map { v in
        (0..<48).reduce(0.0) { $0 + Double(h[state * 48 + $1] * w[v * 48 + $1]) }
      }
      let best = logits.indices.sorted { logits[$0] > logits[$1] }.prefix(5)
      #expect(Array(best) == ranks.tokens[(state * 5)..<(state * 5 + 5)].map { Int($0) })
      let z = (0..<32).map { c in
        (0..<48).reduce(Float(0)) { $0 + projection[c * 48 + $1] * h[state * 48 + $1] }
      }
      let scores = (0..<1100).map { v in
        (0..<32).reduce(Float(0)) { sum, c in
          sum + z[c] * (0..<48).reduce(Float(0)) { $0 + w[v * 48 + $1] * mixing[$1 * 32 + c] }
        }
      }
      for (index, token) in best.enumerated() {
        let rank = scores.count { $0 > scores[token] }
        // Rows of 8 bits move a score a little.
        #expect(abs(Int(found[state * 5 + index]) - rank) <= 2 + rank / 10)
      }
    }
  }

  @Test func predictorsStandSideBySide() throws {
    let (states, weights) = Self.problem(states: 40, vocabulary: 1100, width: 128, directions: 12)
    let pool = ThreadPool(threadCount: 2)
    let comparison = PredictorComparison(
      weights: weights, bias: nil,
      fitted: try HeadBasis(states: states, rows: 40, weights: weights, pool: pool),
      judged: Tensor(.f32, [8, 128], storage: states.storage), pool: pool)
    let lines = try comparison.table()
    #expect(lines.count == 10, "\(lines)")
    let kinds = [
      "random", "random", "plain", "plain", "data-aware", "data-aware", "data-aware", "copy", "plane",
    ]
    for (line, kind) in zip(lines.dropFirst(), kinds) {
      // Among more than there are is everything.
      #expect(line.hasPrefix("  \(kind)") && line.hasSuffix("1.0/1.0/1.0"), "\(line)")
    }
    // Eight states' 64 best of 1100: chance finds a quarter of them among 256.
    func recall(_ line: String) -> Double { Double(line.split(separator: "/")[2].prefix { $0 != "," }) ?? 0 }
    #expect(
      recall(lines[1]) < recall(lines[5]) && recall(lines[8]) > 0.99 && recall(lines[9]) > 0.99, "\(lines)")
  }

  /// The closed form against rows that are dealt out at random.
  @Test(arguments: [(64, 8, 400), (16, 40, 620), (64, 3, 100), (8, 600, 4700)])
  func quotasKeepWhatTheClosedFormSays(_ shards: Int, _ quota: Int, _ rank: Int) {
    var random = SeededGenerator(seed: 9)
    let trials = 400
    var kept = 0
    for _ in 0..<trials {
      if (0..<rank).count(where: { _ in Int.random(in: 0..<shards, using: &random) == 0 }) < quota {
        kept += 1
      }
    }
    let expected = ShardQuota(shards: shards, quota: quota).keeps(rank: rank)
    let error = (expected * (1 - expected) / Double(trials)).squareRoot()
    #expect(abs(Double(kept) / Double(trials) - expected) < 4 * error + 0.01)
  }

  @Test func placesOfThePredictorAreAllRowsSpread() {
    let order = HirePredictor.order(2100)
    #expect(Set(order).count == 2100)
    // The first 100 rows lie in every one of 20 shards.
    let places = order.indices.filter { order[$0] < 100 }
    #expect(Set(places.map { $0 / 105 }).count == 20)
  }
}
