/// The layers of a model: the stretch of at least half of its steps that is one sequence of kernels several
/// times over.
struct RepeatedRun: Equatable {
  /// Index of its first step.
  let start: Int
  /// Steps of one repetition.
  let length: Int
  let count: Int

  /// Repetitions of more steps are not looked for.
  private static let longest = 1024

  /// Finds the repetition that covers most steps, the shortest of those; nil when there is none.
  ///
  /// A stretch of period p and n steps is where n - p steps in a row equal the one p later.
  ///
  /// - Complexity: the number of steps times the longest period.
  init?(in kernels: [String]) {
    var numbers: [String: Int] = [:]
    for kernel in kernels where numbers[kernel] == nil { numbers[kernel] = numbers.count }
    let steps = kernels.map { numbers[$0]! }
    var best: (start: Int, length: Int, count: Int)?
    // One kernel after itself is no layer.
    for period in 2..<max(2, min(Self.longest, steps.count / 2) + 1) {
      var equal = 0
      for index in 0..<(steps.count - period) {
        equal = steps[index] == steps[index + period] ? equal + 1 : 0
        let count = equal / period + 1
        if count > 1, count * period > best.map({ $0.count * $0.length }) ?? 0 {
          best = (index - equal + 1, period, count)
        }
      }
    }
    guard let best, best.count * best.length * 2 >= steps.count else { return nil }
    (start, length, count) = best
  }
}
