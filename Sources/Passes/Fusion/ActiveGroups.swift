import GraphIR
import Tensors

/// The mask of groups of neurons of which only the best are active, as a group-sparse model is exported.
///
///     %v = reshape(%h, ...) : f32[B, S, F/g, g]
///     %s = reduce_sum(%v, [-1]) {keepdims = 0}
///     %t, _ = top_k(%s, k)
///     %l = slice(%t, [-1], ...) : f32[B, S, 1]              the k-th largest score
///     %m = unsqueeze(cast(greater_or_equal(%s, %l)), [-1])
///     %y = reshape(mul(%v, %m), ...) : f32[B, S, F]
struct ActiveGroups {
  /// The neurons that are masked, as they are without groups.
  let neurons: ValueID
  let size: Int
  let active: Int
  /// Values between the neurons and the result, with the number of their uses.
  private let inner: [(value: ValueID, uses: Int)]

  init?(_ value: ValueID, _ view: borrowing GraphView) {
    guard let masked = view.operand(of: value, "reshape"), let (a, b) = view.pair(masked, "mul") else {
      return nil
    }
    for (groups, factor) in [(a, b), (b, a)] {
      guard let neurons = view.operand(of: groups, "reshape"), view.type(neurons) == view.type(value),
        let size = view.type(groups).shape.last?.constant,
        Array(view.type(groups).shape.dropLast(2)) == Array(view.type(neurons).shape.dropLast()),
        let flag = view.operand(of: factor, "unsqueeze") ?? view.operand(of: factor, "reshape"),
        let mask = view.operand(of: flag, "cast"), let (scores, least) = view.pair(mask, "greater_or_equal"),
        view.type(factor).shape == view.type(scores).shape + [1],
        view.lastAxisSum(scores) == groups, let active = view.countOfLargest(least, of: scores)
      else { continue }
      (self.neurons, self.size, self.active) = (neurons, size, active)
      inner = [(neurons, 1), (groups, 2), (scores, 2), (mask, 1), (flag, 1), (factor, 1), (masked, 1)]
      return
    }
    return nil
  }

  func requireSingleUses(_ view: borrowing GraphView) throws(Miss) {
    for (value, uses) in inner where view.useCount(value) != uses {
      throw Miss("the mask of the groups has further uses")
    }
  }
}

extension GraphView {
  /// What is summed over the last axis, which goes away.
  fileprivate func lastAxisSum(_ value: ValueID) -> ValueID? {
    guard let node = producer(of: value, "reduce_sum"), let x = node.operands[0], node.operands.count > 1,
      let axes = integers(node.operands[1]), axes == [-1] || axes == [type(x).rank - 1],
      !node.attributes.bool("keepdims", default: true)
    else { return nil }
    return x
  }

  /// k, when a value is the k-th largest entry of each row of `scores`.
  fileprivate func countOfLargest(_ value: ValueID, of scores: ValueID) -> Int? {
    guard let cut = producer(of: value, "slice"), cut.operands.count > 3,
      let best = producer(of: cut.operands[0], "top_k"), best.operands[0] == scores,
      best.attributes.bool("largest", default: true), best.attributes.bool("sorted", default: true),
      let k = integers(best.operands[1])?.first, let start = integers(cut.operands[1]),
      let axes = integers(cut.operands[3]), start == [-1] || start == [k - 1],
      type(value).shape.last == 1
    else { return nil }
    let last = type(scores).rank - 1
    let axis = best.attributes.int("axis", default: -1)
    return (axis == -1 || axis == last) && (axes == [-1] || axes == [last]) ? k : nil
  }
}
