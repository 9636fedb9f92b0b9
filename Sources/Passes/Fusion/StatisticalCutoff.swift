import GraphIR
import Tensors

/// What leaves those gates of a row that are far above their mean, as statistical top-k is exported.
///
///     %m = reduce_mean(%z, [-1])                  %d = sub(%z, %m)
///     %v = reduce_mean(mul(%d, %d), [-1])         %s = mul(sqrt(%v), 1.645)
///     %y = relu(sub(%z, add(%m, %s)))
struct StatisticalCutoff {
  /// The gates that are cut.
  let gates: ValueID
  let deviations: Float
  /// Values between the gates and the result, with the number of their uses.
  private let inner: [(value: ValueID, uses: Int)]

  init?(_ value: ValueID, _ view: borrowing GraphView) {
    guard let above = view.operand(of: value, "relu"), let (gates, cut) = view.pair(above, "sub"),
      let (a, b) = view.pair(cut, "add")
    else { return nil }
    for (mean, spread) in [(a, b), (b, a)] {
      guard view.lastAxisMean(mean) == gates, let (deviation, factor) = view.withScalar(spread, "mul"),
        let variance = view.operand(of: deviation, "sqrt"), let square = view.lastAxisMean(variance),
        let (left, right) = view.pair(square, "mul"), left == right,
        let (minuend, subtrahend) = view.pair(left, "sub"),
        minuend == gates, subtrahend == mean
      else { continue }
      (self.gates, deviations) = (gates, Float(factor))
      inner = [
        (gates, 3), (mean, 2), (left, 2), (square, 1), (variance, 1), (deviation, 1), (spread, 1), (cut, 1),
        (above, 1),
      ]
      return
    }
    return nil
  }

  func requireSingleUses(_ view: borrowing GraphView) throws(Miss) {
    for (value, uses) in inner where view.useCount(value) != uses {
      throw Miss("what cuts off the gates has further uses")
    }
  }
}
