import Foundation
import Generation
import Kernels
import PlanFormat
import Tensors
import TestSupport
import Testing
import Tokenization

/// What `eval` says of a HiRE head, against the same numbers from the logits of all tokens.
@Suite struct CandidateScoringTests {
  private static let text =
    "The mail server reads its configuration file when it starts. If the file is missing, the server stops."

  private func score(_ head: NoisyHead, against: Bool = true, kind: HeadMode.Kind = .hire) throws
    -> TextScorer.Score
  {
    let plan = try CompiledPlan(Zoo.tandem8M, head)
    let pool = ThreadPool(threadCount: 2)
    let generator = try TextGenerator(plan.file, pool: pool, head: kind)
    var options = TextScorer.Options()
    options.window = 20
    return try TextScorer(generator, against: against ? generator : nil, pool: pool).score(Self.text, options)
  }

  @Test func allTokensAsCandidatesScoreAsTheDenseHead() throws {
    let hire = try score(NoisyHead(count: .max, deviation: 2))
    let dense = try score(NoisyHead(), against: false, kind: .dense)
    #expect(hire.loss.count == dense.loss.count)
    #expect(abs(hire.perplexity / dense.perplexity - 1) < 1e-5)
    #expect(abs(try #require(hire.divergence).mean) < 1e-5)
    #expect(hire.agreement?.mean == 1 && hire.recall.allSatisfy { $0.share.mean == 1 })
    #expect(abs(try #require(hire.normalizerError).mean) < 1e-5)
  }

  @Test func theErrorOfTheNormalizerIsTold() throws {
    let score = try score(NoisyHead(count: 64, normalizerError: 0.25))
    let error = try #require(score.normalizerError)
    #expect(abs(error.mean - 0.25) < 1e-5 && error.standardDeviation < 1e-5)
    #expect(score.recall.map(\.count) == [1, 10, 64])
    #expect(score.agreement?.mean == 1 && score.recall.allSatisfy { $0.share.mean == 1 })
    // Every candidate is less likely by the error, and the tail takes what they lose.
    #expect(try #require(score.divergence).mean > 0.01)
  }

  @Test func badCandidatesAreTold() throws {
    let (good, bad) = (try score(NoisyHead(count: 64)), try score(NoisyHead(count: 64, deviation: 4)))
    let shares = bad.recall.map(\.share.mean)
    #expect(shares.allSatisfy { $0 > 0 && $0 < 1 })
    #expect(try #require(bad.agreement).mean == shares[0], "the likeliest candidate has its exact logit")
    #expect(abs(try #require(good.divergence).mean) < 1e-4)
    // The normalizer is right, and so is the sum of all that was missed: one event.
    #expect(abs(try #require(bad.divergence).mean) < 1e-4)
    #expect(bad.perplexity > 1.2 * good.perplexity)
  }

  @Test func sharesHaveIntervals() {
    var mean = RunningMean()
    for _ in 0..<200 { mean.add(1) }
    #expect(mean.standardError == 0)
    #expect(abs(mean.shareInterval.lowerBound - 0.98116) < 1e-4 && mean.shareInterval.upperBound == 1)
    for _ in 0..<200 { mean.add(0) }
    #expect(abs(mean.shareInterval.lowerBound - 0.4513) < 1e-3)
    #expect(abs(mean.standardDeviation - 0.50063) < 1e-4)
  }
}
