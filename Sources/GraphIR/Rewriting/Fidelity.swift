/// How much a pass may change what a model computes, from nothing to what only measurement can tell.
public enum Fidelity: String, Sendable, CaseIterable, Comparable {
  /// Every output keeps its bits.
  case exact
  /// Sums are reassociated, or values rounded to another format that holds them.
  case rounding
  /// Proved equal per token; falls back otherwise.
  case certified
  /// Recall, divergence or agreement, measured on held-out text.
  case statistical

  private var rank: Int {
    switch self {
    case .exact: 0
    case .rounding: 1
    case .certified: 2
    case .statistical: 3
    }
  }

  public static func < (a: Fidelity, b: Fidelity) -> Bool { a.rank < b.rank }
}

extension Fidelity: CustomStringConvertible {
  public var description: String { rawValue }
}
