/// Puts neurons that are active for the same tokens into one group, for models that were trained without groups: a
/// group whose neurons answer together is read where all of it is needed, and hardly elsewhere.
///
/// With T_n the tokens for which neuron n is active, and T_G those for which any neuron of group G is:
///
/// 1. The neuron that is active for most tokens, of those in no group, begins one.
/// 2. Until the group is full the neuron joins it for which |T_n ∩ T_G| / |T_n ∪ T_G| is largest, of equals the one
///    that is active for the fewest tokens, then the first. Neurons that are never active fill up groups that nothing
///    else is like.
///
/// The work is that of counting intersections, which grow by the active neurons of each token that joins T_G: at most
/// groups x tokens x active neurons, for which tokens are thinned out. Equal activity gives equal groups.
struct CoactivationGroups {
  /// The neuron at each place: groups one behind the other, roughly the most active first.
  let order: [Int]

  /// Intersections that are counted at most: seconds.
  private static let work = 1 << 31

  /// - Parameter size: neurons of a group, a divisor of their number.
  init(_ activity: NeuronActivity, size: Int) {
    let activity = activity.thinned(entries: Self.work / max(1, activity.units / size))
    var grower = GroupGrower(activity)
    var order: [Int] = []
    order.reserveCapacity(activity.units)
    for seed in grower.mostActiveFirst where !grower.isPlaced(seed) {
      grower.begin(with: seed)
      order.append(seed)
      for _ in 1..<size {
        guard let next = grower.mostAlike() else { break }
        grower.join(next)
        order.append(next)
      }
    }
    self.order = order
  }
}

/// One group that grows, and the neurons that are in none.
private struct GroupGrower {
  private let rows: [[Int32]]
  /// T_n of each neuron.
  private var tokens: [[Int32]]
  /// |T_n ∩ T_G| of each neuron.
  private var common: [Int32]
  /// Whether a token is in T_G, and how many are.
  private var isCovered: [Bool]
  private var covered = 0
  /// Neurons that are in no group, and where each lies among them; -1 for those in one.
  private var open: [Int]
  private var places: [Int]

  init(_ activity: NeuronActivity) {
    rows = activity.rows
    var tokens = [[Int32]](repeating: [], count: activity.units)
    for (token, row) in rows.enumerated() { for neuron in row { tokens[Int(neuron)].append(Int32(token)) } }
    self.tokens = tokens
    common = [Int32](repeating: 0, count: activity.units)
    isCovered = [Bool](repeating: false, count: rows.count)
    open = Array(0..<activity.units)
    places = open
  }

  var mostActiveFirst: [Int] {
    tokens.indices.sorted {
      tokens[$0].count > tokens[$1].count || tokens[$0].count == tokens[$1].count && $0 < $1
    }
  }

  func isPlaced(_ neuron: Int) -> Bool { places[neuron] < 0 }

  mutating func begin(with neuron: Int) {
    for index in common.indices { common[index] = 0 }
    for index in isCovered.indices { isCovered[index] = false }
    covered = 0
    join(neuron)
  }

  mutating func join(_ neuron: Int) {
    let (place, last) = (places[neuron], open[open.count - 1])
    open[place] = last
    places[last] = place
    places[neuron] = -1
    open.removeLast()
    for token in tokens[neuron] where !isCovered[Int(token)] {
      isCovered[Int(token)] = true
      covered += 1
      for other in rows[Int(token)] { common[Int(other)] += 1 }
    }
  }

  /// The neuron that is most like the group; nil when all are in groups.
  func mostAlike() -> Int? {
    var best: (neuron: Int, shared: Int, united: Int)?
    for neuron in open {
      let shared = Int(common[neuron])
      let united = covered + tokens[neuron].count - shared
      if let best, !isBetter(neuron, shared, united, than: best) { continue }
      best = (neuron, shared, united)
    }
    return best?.neuron
  }

  private func isBetter(
    _ neuron: Int, _ shared: Int, _ united: Int, than best: (neuron: Int, shared: Int, united: Int)
  ) -> Bool {
    let (own, other) = (shared * best.united, best.shared * united)
    if own != other { return own > other }
    let (count, least) = (tokens[neuron].count, tokens[best.neuron].count)
    return count < least || count == least && neuron < best.neuron
  }
}
