import Foundation
import Kernels
import TestSupport
import Testing

@testable import Passes

/// The estimate of what no candidate has.
@Suite struct TailFitTests {
  /// Tokens of any flatness whose tail follows a law, with noise of so many nats.
  private static func observations(bias: Double, slope: Double, noise: Double) -> [TailFit.Observation] {
    var random = SeededGenerator(seed: 7)
    return (0..<2000).map { _ in
      let seen = Double.random(in: -14...0, using: &random)
      let error = (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
      return TailFit.Observation(seen: seen, actual: bias + slope * seen + noise * error)
    }
  }

  private static func mean(_ observations: [TailFit.Observation], _ bias: Float, _ slope: Float) -> Double {
    observations.reduce(0) { $0 + $1.divergence(HireTail(bias: bias, slope: slope)) }
      / Double(observations.count)
  }

  @Test func theLawBehindTailsIsFound() {
    let fit = TailFit(Self.observations(bias: 0.7, slope: 0.8, noise: 0))
    #expect(abs(fit.tail.bias - 0.7) < 1e-2 && abs(fit.tail.slope - 0.8) < 1e-2, "\(fit)")
    #expect(fit.divergence < 1e-6)
  }

  /// No estimate near the fitted one is better, and one share for all tokens is far worse.
  @Test func theDivergenceIsLeast() {
    let observations = Self.observations(bias: 0.7, slope: 0.8, noise: 0.5)
    let fit = TailFit(observations)
    #expect(abs(Self.mean(observations, fit.tail.bias, fit.tail.slope) - fit.divergence) < 1e-9)
    for (bias, slope) in [(0.05, 0), (-0.05, 0), (0, 0.02), (0, -0.02)] as [(Float, Float)] {
      #expect(Self.mean(observations, fit.tail.bias + bias, fit.tail.slope + slope) > fit.divergence)
    }
    #expect(fit.divergence < 0.1 * Self.mean(observations, -2.5, 1e-6))
  }

  @Test func divergenceIsThatOfTwoEvents() {
    let observation = TailFit.Observation(seen: log(0.1), actual: log(0.25))
    let (p, q) = (0.2, 0.1 / 1.1)
    let expected = p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))
    #expect(abs(observation.divergence(HireTail(bias: 0, slope: 1)) - expected) < 1e-9)
  }

  /// Where nothing is known of tails, survivors stand for themselves.
  @Test func withoutATailNothingIsAdded() {
    let none = [TailFit.Observation(seen: -.infinity, actual: -.infinity)]
    let fit = TailFit(none)
    #expect(fit.tail == HireTail(bias: 0, slope: 1) && fit.divergence < 1e-6)
    #expect(TailFit([]).tail == HireTail(bias: 0, slope: 1))
  }
}
