/// The common path of a block: groups that are active for at least a share p of the tokens. Laid out first and always
/// computed, they need no rows of a predictor (HiRE, section 3.3, static overlap).
///
/// p is found by cost (``NeuronSearch``): with each share that is tried the predictor is as many rows shorter, while
/// the groups that are computed in vain are more.
struct CommonPath {
  /// Shares of tokens that are tried.
  private static let shares = [0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]

  struct Level {
    let share: Double
    /// Groups that are active at least as often, ascending.
    let groups: [Int]
  }

  /// A level for each share that makes a difference, the highest first.
  let levels: [Level]

  /// - Parameter activity: of tokens that recall is not judged by.
  init(_ activity: NeuronActivity, _ grouping: NeuronGrouping) {
    var counts = [Int](repeating: 0, count: grouping.groups)
    for row in activity.rows.indices { activity.forEachGroup(grouping, row) { counts[$0] += 1 } }
    var levels: [Level] = []
    for share in Self.shares {
      let least = share * Double(activity.rows.count)
      let groups = counts.indices.filter { counts[$0] > 0 && Double(counts[$0]) >= least }
      if groups.count > levels.last?.groups.count ?? 0, groups.count < grouping.groups {
        levels.append(Level(share: share, groups: groups))
      }
    }
    self.levels = levels
  }
}
