import Foundation
import Testing
import Tokenization

@testable import Generation

/// Drawing from a list of the likeliest tokens.
@Suite struct SparseSamplerTests {
  private static let count = 700

  /// The logits of a few tokens and the log normalizer of all.
  private struct List {
    var logits: [Float]
    var tokens: [Int32]
    var logNormalizer: Float

    /// The `count` likeliest tokens in an order of chance, and a place without a token.
    init(_ row: [Float], count: Int, _ random: inout SplitMix) {
      var order = row.indices.sorted { (row[$0], $1) > (row[$1], $0) }.prefix(count).map { $0 }
      for index in order.indices { order.swapAt(index, Int(random.next() % UInt64(order.count))) }
      tokens = order.map { Int32($0) } + [-1]
      logits = order.map { row[$0] } + [-.infinity]
      logNormalizer = Float(log(row.reduce(0) { $0 + exp(Double($1)) }))
    }

    func draw(_ sampler: Sampler, _ position: Int) throws -> TokenID? {
      try logits.withUnsafeBufferPointer { logits in
        try tokens.withUnsafeBufferPointer { tokens in
          try sampler.next(
            SparseLogits(logits: logits, tokens: tokens, logNormalizer: logNormalizer), position: position)
        }
      }
    }
  }

  private func row(_ random: inout SplitMix, scale: Float = 4) -> [Float] {
    (0..<Self.count).map { _ in Float(random.normal()) * scale }
  }

  private static let variants =
    SamplerTests.variants + [
      {
        var options = SamplerTests.options(topP: 0.9, penalty: 0.8)
        options.bannedTokens = [1, 2, 3, 400]
        return options
      }()
    ]

  @Test(arguments: variants)
  func aListOfAllTokensIsAsGoodAsAllLogits(_ options: SamplingOptions) throws {
    var random = SplitMix(state: 3)
    let (dense, sparse) = (
      Sampler(options, vocabularyCount: Self.count), Sampler(options, vocabularyCount: Self.count)
    )
    for position in 0..<40 {
      let row = row(&random)
      let token = try dense.draw(row, position)
      #expect(try List(row, count: Self.count, &random).draw(sparse, position) == token)
      dense.observe(token)
      sparse.observe(token)
    }
  }

  /// Equal logits prefer small ids wherever they stand in the list.
  @Test(arguments: variants)
  func equalLogits(_ options: SamplingOptions) throws {
    var random = SplitMix(state: 4)
    let sampler = Sampler(options, vocabularyCount: Self.count)
    let row = (0..<Self.count).map { Float($0 % 3) }
    for position in 0..<16 {
      let list = List(row, count: Self.count, &random)
      #expect(try list.draw(sampler, position) == sampler.draw(row, position))
    }
  }

  /// What top-k, top-p and min-p keep lies within the list, and top-p knows how much lies beyond.
  @Test(arguments: [
    SamplerTests.options(temperature: 0), SamplerTests.options(topK: 20), SamplerTests.options(topP: 0.5),
    SamplerTests.options(minP: 0.2), SamplerTests.options(topP: 0.6, minP: 0.01),
    SamplerTests.options(topK: 40, topP: 0.9),
  ])
  func aListThatHoldsWhatIsKeptIsAsGoodAsAllLogits(_ options: SamplingOptions) throws {
    var random = SplitMix(state: 5)
    let sampler = Sampler(options, vocabularyCount: Self.count)
    for position in 0..<60 {
      let row = row(&random, scale: 2)
      let list = List(row, count: 200, &random)
      #expect(try list.draw(sampler, position) == sampler.draw(row, position))
    }
  }

  /// Had the list no idea of what lies beyond, top-p would keep fewer tokens.
  @Test func topPIsAShareOfTheWholeVocabulary() throws {
    var random = SplitMix(state: 6)
    let sampler = Sampler(SamplerTests.options(topP: 0.5), vocabularyCount: Self.count)
    var differences = 0
    for position in 0..<200 {
      let row = row(&random, scale: 1)
      var list = List(row, count: 400, &random)
      let whole = try list.draw(sampler, position)
      list.logNormalizer = Float(log(list.logits.reduce(0) { $0 + exp(Double($1)) }))
      if try list.draw(sampler, position) != whole { differences += 1 }
    }
    #expect(differences > 5)
  }

  @Test func choicesThatTokensBeyondMightBeatAreRefused() throws {
    let list = { (logits: [Float]) in
      var random = SplitMix(state: 7)
      var list = List(logits, count: logits.count, &random)
      list.logNormalizer += 1
      return list
    }
    // Token 0 is ahead until it occurred: 6 / 2 is less than what a token that is not listed may have.
    let penalized = Sampler(SamplerTests.options(temperature: 0, penalty: 2), vocabularyCount: 50)
    #expect(try list([6, 4]).draw(penalized, 0) == 0)
    penalized.observe(0)
    #expect(try list([6, 4]).draw(penalized, 1) == 1)
    #expect(try list([6]).draw(penalized, 1) == nil)
    // A raised token that is not listed might be ahead of 4.
    let raised = Sampler(SamplerTests.options(temperature: 0, penalty: 0.5), vocabularyCount: 50)
    #expect(try list([4, 3]).draw(raised, 0) == 0)
    raised.observe(30)
    #expect(try list([4, 3]).draw(raised, 1) == nil)
    #expect(try list([7, 3]).draw(raised, 1) == 0)
    var options = SamplerTests.options(temperature: 0)
    options.bannedTokens = [0, 1]
    let banned = Sampler(options, vocabularyCount: 50)
    #expect(try list([4, 3]).draw(banned, 0) == nil)
    #expect(try list([4, 3, 2]).draw(banned, 0) == 2)
  }

  @Test func observationsAreTakenBack() throws {
    let sampler = Sampler(SamplerTests.options(temperature: 0, penalty: 4), vocabularyCount: 3)
    sampler.observe(2)
    let count = sampler.observedCount
    sampler.observe(0)
    #expect(try sampler.draw([4, 3, 8], 0) == 1)
    sampler.forget(downTo: count)
    #expect(try sampler.draw([4, 3, 8], 0) == 0)
  }

  @Test func bannedTokensAreNotDrawn() throws {
    var options = SamplerTests.options()
    options.bannedTokens = [1, 7, 90]
    let sampler = Sampler(options, vocabularyCount: 8)
    for position in 0..<64 {
      #expect(![1, 7].contains(try sampler.draw([Float](repeating: 0, count: 8), position)))
    }
  }
}
