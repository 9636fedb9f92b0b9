import Generation

/// What a HiRE head did for some tokens.
struct HeadReport: Encodable {
  /// How often bounds left so many rows beside the candidates that reached the threshold.
  struct Survivors: Encodable {
    let rows: String
    let draws: Int
  }

  let exact: String
  let verifiedPasses: Int
  let mismatches: Int
  let discardedTokens: Int
  let denseFallbacks: Int
  /// Of these, those that bounds left more rows for than fit.
  let overflows: Int
  /// Where bounds proved tokens, by powers of ten.
  let survivors: [Survivors]?

  init(_ exactness: HeadMode.Exactness, _ statistics: GenerationStatistics) {
    exact = exactness.rawValue
    verifiedPasses = statistics.verifiedPasses
    mismatches = statistics.mismatches
    discardedTokens = statistics.discardedTokens
    denseFallbacks = statistics.denseFallbacks
    overflows = statistics.overflows
    let counts = statistics.survivors
    let isBounded = exactness == .certified || counts.counts.contains { $0 > 0 }
    survivors = isBounded ? zip(counts.labels, counts.counts).map { Survivors(rows: $0, draws: $1) } : nil
  }

  /// One line without its end.
  var text: String {
    var text = "hire, exact \(exact): "
    if exact == HeadMode.Exactness.deferred.rawValue {
      text +=
        "verified \(verifiedPasses) times, \(mismatches) tokens replaced, \(discardedTokens) drawn in vain, "
    }
    if let survivors {
      let classes = survivors.filter { $0.draws > 0 }.map { "\($0.rows): \($0.draws)" }
      text += "tokens by rows that bounds left [\(classes.joined(separator: ", "))], "
      text += "\(overflows) with too many, "
    }
    return text + "\(denseFallbacks) drawn by the dense head"
  }
}
