/// What every token that can still be drawn must reach, told from the exact logits of some tokens.
///
///     logit[v] + shift[v] >= threshold
struct DrawBound {
  let threshold: Float
  /// Whether tokens have shifts; else all are 0.
  let isShifted: Bool
  /// Of the tokens that it was told from, those that reach it themselves.
  let reached: Int
}

extension Sampler {
  /// The bound that the choice for `position` reaches, and with it all tokens that the choice depends on.
  ///
  /// Penalties of 1 and more and bans only lower logits, so what reaches a changed logit reaches it
  /// unchanged:
  ///
  /// - greedy: the largest logit of the list
  /// - top-k: the k-th largest of the list, or with min-p alone behind it what min-p asks for, if that is more
  /// - min-p: its floor below the largest logit of the list
  /// - temperature alone: the largest `logit + temperature * noise` of the list, where the noise of other tokens,
  ///   which is known, counts as their shift
  ///
  /// - Parameter shifts: room for one number per token of the vocabulary, written where the bound has shifts.
  /// - Returns: nil where there is none: top-p needs the mass of all tokens, a penalty below 1 raises tokens that are
  ///   not listed, and the list may be too short.
  func bound(
    _ candidates: SparseLogits, position: Int, shifts: UnsafeMutablePointer<Float>
  ) throws(GenerationError) -> DrawBound? {
    if options.repetitionPenalty < 1, observedCount > 0 { return nil }
    let row = try changedRow(candidates, position)
    guard let row else { return nil }
    let maximum = LogitScan.maximum(row.logits)
    if options.isGreedy { return bound(candidates, maximum) }
    if limitsCount {
      guard options.topK <= row.count, let least = leastOfTop(row), least > -.infinity else { return nil }
      return bound(candidates, options.topP < 1 ? least : max(least, floor(maximum)))
    }
    if options.topP < 1 { return nil }
    if options.minP > 0 { return bound(candidates, floor(maximum)) }
    return noiseBound(candidates, row, position, shifts: shifts)
  }

  private func bound(_ candidates: SparseLogits, _ threshold: Float) -> DrawBound {
    DrawBound(
      threshold: threshold, isShifted: false, reached: candidates.logits.count { $0 >= threshold })
  }
}
