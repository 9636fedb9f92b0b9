import Foundation
import Testing
import Tokenization

@testable import Generation

@Suite struct SamplerTests {
  /// A sampler in as few words as possible: sort, cut, add noise, take the largest.
  static func reference(
    _ logits: [Float], _ options: SamplingOptions, position: Int, observed: [TokenID] = []
  ) -> TokenID {
    var scores = logits.map { Double($0) }
    let penalty = Double(options.repetitionPenalty)
    for token in Set(observed) {
      let score = scores[Int(token)]
      scores[Int(token)] = Double(Float(score < 0 ? score * penalty : score / penalty))
    }
    var order = scores.indices.sorted { scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1) }
    guard options.temperature > 0 else { return TokenID(order[0]) }
    let scale = Double(1 / options.temperature)
    let largest = scores[order[0]]
    func mass(_ token: Int) -> Double { exp(scale * (scores[token] - largest)) }
    if options.topK > 0 { order = Array(order.prefix(options.topK)) }
    if options.topP < 1 {
      let target = Double(options.topP) * order.reduce(0) { $0 + mass($1) }
      var (sum, kept) = (0.0, 0)
      while kept < order.count, sum < target {
        sum += mass(order[kept])
        kept += 1
      }
      order = Array(order.prefix(max(kept, 1)))
    }
    if options.minP > 0 { order = order.filter { mass($0) >= Double(options.minP) } }
    let noise = GumbelNoise(seed: options.seed, position: position)
    func value(_ token: Int) -> Double { scale * scores[token] + noise(token) }
    return TokenID(order.max { value($0) < value($1) }!)
  }

  static func options(
    temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0, penalty: Float = 1,
    seed: UInt64 = 7
  ) -> SamplingOptions {
    var options = SamplingOptions()
    options.temperature = temperature
    options.topK = topK
    options.topP = topP
    options.minP = minP
    options.repetitionPenalty = penalty
    options.seed = seed
    return options
  }

  static let variants: [SamplingOptions] = [
    options(temperature: 0), options(), options(temperature: 0.3), options(temperature: 2.5),
    options(topK: 1), options(topK: 5), options(topK: 64), options(topK: 1_000_000),
    options(topP: 0.9), options(topP: 0.1), options(topP: 0.9999), options(topP: 1e-6), options(minP: 0.05),
    options(minP: 1), options(topK: 20, topP: 0.8), options(topP: 0.95, minP: 0.1),
    options(temperature: 0.7, topK: 40, topP: 0.9, minP: 0.02, penalty: 1.3),
    options(temperature: 0, penalty: 1.5),
  ]

  @Test(arguments: variants)
  func equalsReference(_ options: SamplingOptions) throws {
    var random = SplitMix(state: 42)
    for count in [1, 2, 15, 16, 17, 300, 4099] {
      let sampler = Sampler(options, vocabularyCount: count)
      var observed: [TokenID] = []
      for position in 0..<24 {
        let logits = (0..<count).map { _ in Float(random.normal()) * 4 }
        let expected = Self.reference(logits, options, position: position, observed: observed)
        let token = try logits.withUnsafeBufferPointer { row throws(GenerationError) in
          try sampler.next(row, position: position)
        }
        #expect(token == expected, "\(options), \(count) tokens, position \(position)")
        observed.append(token)
        sampler.observe(token)
      }
    }
  }

  @Test(arguments: variants)
  func equalLogitsPreferSmallIDs(_ options: SamplingOptions) throws {
    let logits = [Float](repeating: 1.5, count: 777)
    let sampler = Sampler(options, vocabularyCount: logits.count)
    for position in 0..<16 {
      #expect(try sampler.draw(logits, position) == Self.reference(logits, options, position: position))
    }
  }

  @Test func seedDecides() throws {
    let logits = [Float](repeating: 0, count: 1000)
    func draws(_ seed: UInt64) throws -> [TokenID] {
      let sampler = Sampler(Self.options(seed: seed), vocabularyCount: 1000)
      return try (0..<32).map { try sampler.draw(logits, $0) }
    }
    #expect(try draws(1) == draws(1))
    #expect(try draws(1) != draws(2))
    #expect(Set(try draws(3)).count > 25)
  }

  @Test(arguments: [Float(0.5), 1, 2])
  func frequenciesFollowSoftmax(_ temperature: Float) throws {
    let logits: [Float] = [2, 1, 0.5, 0, -0.5, -1, 1.5, -3, 0.25, 0.75]
    let sampler = Sampler(Self.options(temperature: temperature), vocabularyCount: logits.count)
    let draws = 40_000
    var counts = [Int](repeating: 0, count: logits.count)
    for position in 0..<draws { counts[Int(try sampler.draw(logits, position))] += 1 }
    let masses = logits.map { exp(Double($0 / temperature)) }
    let total = masses.reduce(0, +)
    let chiSquare = zip(counts, masses).reduce(0.0) { sum, pair in
      let expected = Double(draws) * pair.1 / total
      return sum + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
    }
    // 9 degrees of freedom: exceeded with probability 0.001.
    #expect(chiSquare < 27.88)
  }

  @Test func penaltyAppliesOnceAndBySign() throws {
    let options = Self.options(temperature: 0, penalty: 2)
    let sampler = Sampler(options, vocabularyCount: 3)
    for token: TokenID in [0, 0, 0] { sampler.observe(token) }
    #expect(try sampler.draw([4, 1.9, -1], 0) == 0)  // 4 / 2, not 4 / 8
    #expect(try sampler.draw([-1, -1.9, -3], 0) == 1)  // -1 * 2
  }

  @Test(arguments: [Float.leastNonzeroMagnitude, 1e-39, 1e-7])
  func tinyTemperaturesAreGreedy(_ temperature: Float) throws {
    let logits: [Float] = [-1, 3, 2.999, 3, -.infinity]
    for options in [
      Self.options(temperature: temperature), Self.options(temperature: temperature, topK: 2),
      Self.options(temperature: temperature, topP: 0.5),
    ] {
      let sampler = Sampler(options, vocabularyCount: logits.count)
      for position in 0..<8 { #expect(try sampler.draw(logits, position) == 1) }
    }
  }

  @Test func badLogitsAreErrors() throws {
    let sampler = Sampler(Self.options(), vocabularyCount: 40)
    var logits = [Float](repeating: 0, count: 40)
    logits[33] = .nan
    #expect { try sampler.draw(logits, 5) } throws: {
      "\($0)" == "the logit of token 33 at position 5 is not a number"
    }
    logits[33] = .infinity
    #expect { try sampler.draw(logits, 5) } throws: {
      "\($0)" == "the logit of token 33 at position 5 is infinite"
    }
    logits = Array(repeating: -.infinity, count: 40)
    #expect { try sampler.draw(logits, 5) } throws: {
      "\($0)" == "all logits at position 5 are minus infinity"
    }
    logits[3] = 0
    #expect(try sampler.draw(logits, 5) == 3)
  }

  @Test func exponentialIsAccurate() {
    // Below -87 it is 0, where the true value is at most 1.7e-38.
    let worst =
      (0..<20_000).map { step in
        let x = -Float(step) * 0.005
        let (found, expected) = (LogitScan.exponential(LogitScan.Lanes(repeating: x))[3], exp(Double(x)))
        return (abs(Double(found) - expected) - 1.7e-38) / expected
      }.max() ?? 0
    #expect(worst < 3e-7)
  }
}

extension Sampler {
  func draw(_ logits: [Float], _ position: Int) throws -> TokenID {
    try logits.withUnsafeBufferPointer { row throws(GenerationError) in try next(row, position: position) }
  }
}
