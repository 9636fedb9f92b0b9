import Tensors

/// Groups of neurons that some rows choose.
struct GroupLists {
  /// Groups that any row chose, ascending.
  let union: UnsafeMutablePointer<Int32>
  let count: Int
  private let settings: HireNeuronSettings
  /// Places in the union of what a row chose, ascending: a row of `candidateGroups` for each.
  private let places: UnsafeMutablePointer<Int32>
  /// Memory for one selection.
  private let scores: UnsafeMutablePointer<Float>
  private let chosen: UnsafeMutablePointer<UInt32>

  /// Chooses the common groups and those with the largest scores.
  ///
  /// - Parameter scores: a row of `groups` numbers for each row.
  init(
    _ settings: HireNeuronSettings, groups: Int, rows: Int, _ scores: UnsafePointer<Float>,
    _ resources: Resources
  ) {
    func scratch<T>(_ count: Int, _ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
      resources.scratch(byteCount: count * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: count)
    }
    self.settings = settings
    let (common, candidates) = (settings.commonGroups, settings.candidateGroups)
    (chosen, self.scores) = (scratch(candidates), scratch(candidates))
    places = scratch(rows * candidates)
    let place: UnsafeMutablePointer<Int32> = scratch(groups)
    place.update(repeating: -1, count: groups)
    for row in 0..<rows {
      let own = places + row * candidates
      VectorMath.best.select(
        groups - common, scores + (row * groups + common), candidates - common, chosen)
      for index in 0..<candidates {
        let group = index < common ? Int32(index) : Int32(chosen[index - common]) + Int32(common)
        own[index] = group
        place[Int(group)] = 0
      }
    }
    union = scratch(min(groups, rows * candidates))
    var count = 0
    for group in 0..<groups where place[group] == 0 {
      union[count] = Int32(group)
      place[group] = Int32(count)
      count += 1
    }
    self.count = count
    for index in 0..<rows * candidates { places[index] = place[Int(places[index])] }
  }

  /// Calls `drop` for the places that a row did not choose, or that are not among its active groups.
  ///
  /// - Parameter sums: exact scores by place.
  func keepActive(_ row: Int, _ sums: UnsafePointer<Float>, drop: (_ place: Int) -> Void) {
    let (own, candidates) = (places + row * settings.candidateGroups, settings.candidateGroups)
    for index in 0..<candidates { scores[index] = sums[Int(own[index])] }
    VectorMath.best.select(candidates, scores, settings.activeGroups, chosen)
    var next = 0
    for place in 0..<count {
      if next < settings.activeGroups, Int(own[Int(chosen[next])]) == place { next += 1 } else { drop(place) }
    }
  }
}
