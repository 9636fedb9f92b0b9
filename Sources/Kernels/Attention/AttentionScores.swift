import Tensors

/// The step after which scores are kept as a result, as ONNX numbers them.
enum AttentionScoreStep: Int { case raw, capped, masked, probabilities }

/// Scores that a call returns besides.
struct AttentionScores<T: AttentionScalar> {
  /// `[B, heads, S, T]`
  let view: TensorView
  let step: AttentionScoreStep

  /// Keeps the scores of a query if they are those of this step; of keys not allowed minus infinity, or
  /// probability 0.
  func keep(
    _ weights: UnsafePointer<T>, _ step: AttentionScoreStep, _ batch: Int, _ head: Int, _ row: Int,
    allowed: Range<Int>? = nil
  ) {
    guard step == self.step else { return }
    let (to, count): (UnsafeMutablePointer<T>, Int) = (view.row(batch, head, row), view.shape[3])
    to.update(from: weights, count: count)
    guard let allowed else { return }
    let forbidden: T = step == .masked ? -T.infinity : 0
    for key in 0..<allowed.lowerBound { to[key] = forbidden }
    for key in allowed.upperBound..<max(allowed.upperBound, count) { to[key] = forbidden }
  }
}
