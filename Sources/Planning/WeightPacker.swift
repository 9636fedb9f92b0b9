import Tensors

/// Collects the tensors that steps read: constants, and expressions over constants. Equal ones are stored
/// once.
struct WeightPacker {
  var expressions: WeightExpressions
  private var indices: [WeightExpressions.Reference: Int] = [:]
  private var packed: [(name: String, reference: WeightExpressions.Reference)] = []

  init(_ constants: [String: Tensor]) { expressions = WeightExpressions(constants) }

  /// The index of an expression in the weights section.
  ///
  /// - Parameter name: for an expression that has no name by itself.
  mutating func index(of reference: WeightExpressions.Reference, name: String) -> Int {
    if let index = indices[reference] { return index }
    indices[reference] = packed.count
    packed.append((expressions.name(of: reference) ?? name, reference))
    return packed.count - 1
  }

  /// Every weight in the order of indices, evaluated when it is loaded.
  var weights: [Planner.LazyWeight] {
    packed.map { [expressions] name, reference in
      (name, { () throws(Planner.Failure) in try expressions.tensor(reference) })
    }
  }
}
