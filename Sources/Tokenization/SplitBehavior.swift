/// What becomes of the text that a split's pattern matches.
enum SplitBehavior: UInt8, CaseIterable {
  case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous

  /// The spelling in `tokenizer.json`.
  var name: String {
    switch self {
    case .removed: "Removed"
    case .isolated: "Isolated"
    case .mergedWithPrevious: "MergedWithPrevious"
    case .mergedWithNext: "MergedWithNext"
    case .contiguous: "Contiguous"
    }
  }

  init(name: String) throws(TokenizationError) {
    guard let behavior = Self.allCases.first(where: { $0.name == name }) else {
      throw .unsupported("split behavior", name, accepted: Self.allCases.map(\.name))
    }
    self = behavior
  }

  /// A stretch of text and whether the pattern matches it.
  typealias Stretch = (range: Range<Int>, isMatch: Bool)

  /// The pieces that `stretches`, which cover a text in order, leave; some may be empty.
  func pieces(of stretches: [Stretch]) -> [Range<Int>] {
    switch self {
    case .removed: stretches.filter { !$0.isMatch }.map(\.range)
    case .isolated: stretches.map(\.range)
    case .contiguous: Self.joined(stretches) { $0 == $1 }
    case .mergedWithPrevious: Self.joined(stretches) { !$0 && $1 }
    case .mergedWithNext:
      Self.joined(stretches.reversed()) { !$0 && $1 }.reversed()
    }
  }

  /// Joins each stretch to its predecessor when `isJoined` holds of whether the two match.
  ///
  /// The first stretch starts as if a non-match preceded it, so nothing can be joined to that.
  private static func joined(_ stretches: [Stretch], _ isJoined: (Bool, Bool) -> Bool) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var previous = false
    for (range, isMatch) in stretches {
      if let last = result.last, isJoined(previous, isMatch) {
        result[result.count - 1] =
          min(last.lowerBound, range.lowerBound)..<max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
      previous = isMatch
    }
    return result
  }
}
