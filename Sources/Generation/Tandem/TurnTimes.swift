/// Seconds of several things that are done in turns; each counts by the median of its turns.
///
/// A moment in which the machine is busy spoils few turns, and one that lasts slows down all that is compared.
struct TurnTimes {
  private var samples: [[Double]]

  /// - Parameter count: of things.
  init(_ count: Int) { samples = Array(repeating: [], count: count) }

  mutating func note(_ seconds: Double, of index: Int) { samples[index].append(seconds) }

  /// The medians, of at least one turn.
  var medians: [Double] {
    samples.map { seconds in
      let sorted = seconds.sorted()
      return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
  }
}
