import Tensors

/// Groups of neurons that some rows choose.
struct GroupLists {
  /// Groups that any row chose, ascending.
  let union: UnsafeMutablePointer<Int32>
  let count: Int
  private let settings: HireNeuronSettings
  /// Places in the union of what a row chose, ascending: a row of `candidateGroups` for each, of which the first
  /// `counts` are used; nil where there is one row, whose choice is the union.
  private let places: UnsafeMutablePointer<Int32>?
  private let counts: UnsafeMutablePointer<Int>
  /// Memory for one selection.
  private let scores: UnsafeMutablePointer<Float>
  private let chosen: UnsafeMutablePointer<UInt32>

  /// Chooses the common groups and those with the largest scores.
  ///
  /// - Parameters:
  ///   - scores: a row of `groups` numbers for each row.
  ///   - dropsZeros: groups whose score is 0 are not chosen.
  init(
    _ settings: HireNeuronSettings, groups: Int, rows: Int, _ scores: UnsafePointer<Float>, dropsZeros: Bool,
    _ resources: Resources
  ) {
    func scratch<T>(_ count: Int, _ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
      resources.scratch(byteCount: count * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: count)
    }
    self.settings = settings
    let candidates = settings.candidateGroups
    (chosen, self.scores, counts) = (scratch(candidates), scratch(candidates), scratch(rows))
    let places: UnsafeMutablePointer<Int32> = scratch(rows * candidates)
    for row in 0..<rows {
      let (own, values) = (places + row * candidates, scores + row * groups)
      Self.choose(settings, groups: groups, values, chosen, into: own)
      var kept = candidates
      if dropsZeros {
        kept = 0
        for index in 0..<candidates {
          own[kept] = own[index]
          kept += values[Int(own[index])] == 0 ? 0 : 1
        }
      }
      counts[row] = kept
    }
    if rows == 1 {
      (union, count, self.places) = (places, counts[0], nil)
      return
    }
    let place: UnsafeMutablePointer<Int32> = scratch(groups)
    place.update(repeating: -1, count: groups)
    for row in 0..<rows {
      for index in 0..<counts[row] { place[Int(places[row * candidates + index])] = 0 }
    }
    union = scratch(min(groups, rows * candidates))
    var count = 0
    for group in 0..<groups where place[group] == 0 {
      union[count] = Int32(group)
      place[group] = Int32(count)
      count += 1
    }
    for row in 0..<rows {
      for index in row * candidates..<row * candidates + counts[row] {
        places[index] = place[Int(places[index])]
      }
    }
    (self.count, self.places) = (count, places)
  }

  /// The candidates of one row, ascending.
  private static func choose(
    _ settings: HireNeuronSettings, groups: Int, _ scores: UnsafePointer<Float>,
    _ chosen: UnsafeMutablePointer<UInt32>, into own: UnsafeMutablePointer<Int32>
  ) {
    let (common, candidates) = (settings.commonGroups, settings.candidateGroups)
    let isAll = candidates == groups
    for index in 0..<(isAll ? candidates : common) { own[index] = Int32(index) }
    if isAll { return }
    VectorMath.best.select(groups - common, scores + common, candidates - common, chosen)
    for index in common..<candidates { own[index] = Int32(chosen[index - common]) + Int32(common) }
  }

  /// Candidates of a row.
  func candidateCount(_ row: Int) -> Int { counts[row] }

  /// Calls `drop` for the places that a row did not choose, or that are not among its active groups.
  ///
  /// - Parameter sums: exact scores by place.
  func keepActive(_ row: Int, _ sums: UnsafePointer<Float>, drop: (_ place: Int) -> Void) {
    let candidates = counts[row]
    let active = min(settings.activeGroups, candidates)
    if places == nil, active == candidates { return }
    let own = places.map { $0 + row * settings.candidateGroups }
    func place(_ index: Int) -> Int { own.map { Int($0[index]) } ?? index }
    if active < candidates {
      for index in 0..<candidates { scores[index] = sums[place(index)] }
      VectorMath.best.select(candidates, scores, active, chosen)
    } else {
      for index in 0..<candidates { chosen[index] = UInt32(index) }
    }
    var next = 0
    for index in 0..<count {
      if next < active, place(Int(chosen[next])) == index { next += 1 } else { drop(index) }
    }
  }
}
