extension Dim {
  /// A number that the value is never below when every symbol is at least `least`; nil when there is none.
  ///
  /// Extents are never negative, so `least` 0 holds for every symbol and 1 for those of axes that are not
  /// empty.
  public func lowerBound(symbolsAtLeast least: Int = 0) -> Int? {
    var sum = 0
    for term in terms {
      if term.factors.isEmpty {
        sum &+= term.coefficient
        continue
      }
      guard term.coefficient > 0 else { return nil }
      var product = term.coefficient
      for factor in term.factors {
        guard let bound = factor.lowerBound(least), bound >= 0 else { return nil }
        product = product &* bound
      }
      sum &+= product
    }
    return sum
  }

  /// Whether the value is at least `other` for all symbols that are at least `least`.
  public func isAtLeast(_ other: Dim, symbolsAtLeast least: Int = 0) -> Bool {
    if self == other { return true }
    return (self - other).lowerBound(symbolsAtLeast: least).map { $0 >= 0 } ?? false
  }
}

extension Dim.Factor {
  fileprivate func lowerBound(_ least: Int) -> Int? {
    switch self {
    case .symbol: return least
    case .floorDivide(let a, let b):
      guard let divisor = b.constant, divisor > 0, let bound = a.lowerBound(symbolsAtLeast: least) else {
        return nil
      }
      return Dim.floorDivide(bound, divisor)
    case .maximum(let a, let b):
      let bounds = [a, b].compactMap { $0.lowerBound(symbolsAtLeast: least) }
      return bounds.max()
    case .minimum(let a, let b):
      guard let x = a.lowerBound(symbolsAtLeast: least), let y = b.lowerBound(symbolsAtLeast: least) else {
        return nil
      }
      return min(x, y)
    }
  }
}
