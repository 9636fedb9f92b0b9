/// An Einstein summation: one label per axis of each operand and of the result.
///
///     "bij,bjk->bik"    "...ij->...ji"    "ii"
///
/// Axes that an ellipsis stands for get labels of their own, aligned at their last one; they broadcast.
public struct EinsumEquation: Sendable {
  public enum Label: Hashable, Sendable {
    case letter(Character)
    /// An axis of the ellipsis, counted from its end.
    case broadcast(Int)
  }

  public let operands: [[Label]]
  public let result: [Label]

  /// - Throws: ``KernelError`` when the text is no equation for operands of these ranks.
  public init(parsing text: String, ranks: [Int]) throws(KernelError) {
    let sides = text.filter { $0 != " " }.split(separator: "->", omittingEmptySubsequences: false)
    let terms = sides.isEmpty ? [] : sides[0].split(separator: ",", omittingEmptySubsequences: false)
    guard sides.count <= 2, terms.count == ranks.count else {
      throw .invalid("equation '\(text)' has \(terms.count) terms for \(ranks.count) operands")
    }
    var operands: [[Label]] = []
    for (term, rank) in zip(terms, ranks) { operands.append(try Self.labels(term, rank: rank)) }
    let width =
      operands.joined().map { if case .broadcast(let index) = $0 { index + 1 } else { 0 } }.max() ?? 0
    let ellipsis = (0..<width).reversed().map { Label.broadcast($0) }
    if sides.count == 2 {
      result = try Self.labels(sides[1], ellipsis: ellipsis)
    } else {
      var counts: [Label: Int] = [:]
      for label in operands.joined() { counts[label, default: 0] += 1 }
      let single = counts.filter { $0.value == 1 }.keys.compactMap {
        if case .letter(let c) = $0 { c } else { nil }
      }
      result = ellipsis + single.sorted().map { .letter($0) }
    }
    self.operands = operands
    guard Set(result).isSubset(of: Set(operands.joined())), Set(result).count == result.count else {
      throw .invalid("the result of equation '\(text)' repeats a label or has one that no operand has")
    }
  }

  /// The labels of a term for an operand of `rank` axes.
  private static func labels(_ term: Substring, rank: Int) throws(KernelError) -> [Label] {
    let letters = term.filter { $0 != "." }.count
    let hidden = term.contains("...") ? rank - letters : 0
    guard hidden >= 0, letters + hidden == rank else {
      throw .invalid("term '\(term)' does not fit an operand of rank \(rank)")
    }
    return try labels(term, ellipsis: (0..<hidden).reversed().map { .broadcast($0) })
  }

  private static func labels(_ term: Substring, ellipsis: [Label]) throws(KernelError) -> [Label] {
    var labels: [Label] = []
    var rest = term
    while let first = rest.first {
      if rest.hasPrefix("...") {
        labels += ellipsis
        rest = rest.dropFirst(3)
      } else if first.isLetter {
        labels.append(.letter(first))
        rest = rest.dropFirst()
      } else {
        throw .invalid("term '\(term)' has '\(first)', accepted are letters and '...'")
      }
    }
    return labels
  }
}
