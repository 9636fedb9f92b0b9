extension Dim {
  /// Whether the value is known to be at least 0 whatever sizes the symbols stand for; sizes are at least 0.
  public var isNonNegative: Bool { terms.allSatisfy(\.isNonNegative) || isNonNegativeByExtremum }

  /// `max(a, b)` is at least `a` and at least `b`; `-min(a, b)` is at least `-a` and at least `-b`.
  private var isNonNegativeByExtremum: Bool {
    for term in terms where term.factors.count == 1 {
      switch (term.coefficient, term.factors[0]) {
      case (1, .maximum(let a, let b)):
        let rest = self - Dim(term.factors[0])
        if (a + rest).isNonNegative || (b + rest).isNonNegative { return true }
      case (-1, .minimum(let a, let b)):
        let rest = self + Dim(term.factors[0])
        if (rest - a).isNonNegative || (rest - b).isNonNegative { return true }
      default: continue
      }
    }
    return false
  }
}

extension Dim.Term {
  fileprivate var isNonNegative: Bool { coefficient > 0 && factors.allSatisfy(\.isNonNegative) }
}

extension Dim.Factor {
  fileprivate var isNonNegative: Bool {
    switch self {
    case .symbol: true
    case .floorDivide(let a, let b): a.isNonNegative && b.isNonNegative
    case .maximum(let a, let b): a.isNonNegative || b.isNonNegative
    case .minimum(let a, let b): a.isNonNegative && b.isNonNegative
    }
  }
}
