public import PlanFormat

/// How tokens are told from hidden states.
public struct HeadMode: Sendable, Equatable {
  public enum Kind: String, CaseIterable, Sendable {
    /// The logits of the whole vocabulary.
    case dense
    /// Those of a few candidates that a predictor chooses (HiRE).
    case hire
  }

  /// What is done about tokens that candidates miss.
  public enum Exactness: String, CaseIterable, Sendable {
    /// Nothing.
    case none
    /// The dense head verifies the last tokens all at once, and generation takes up again at the first that it
    /// would have drawn otherwise.
    case deferred
    /// Before each token bounds prove which tokens could be drawn by exact logits, and it is drawn from these; the
    /// dense head draws it where they cannot.
    case certified
  }

  public let kind: Kind
  /// Of the dense head ``Exactness/none``: there is nothing to verify.
  public let exactness: Exactness

  /// What is asked for, or else what the plan says.
  ///
  /// - Throws: ``GenerationError`` when the plan has no HiRE head and either is asked for.
  public init(_ plan: PlanFile, kind: Kind? = nil, exactness: Exactness? = nil) throws(GenerationError) {
    let hasHire = try plan.entry("head", default: Kind.dense) == .hire
    if kind == .hire, !hasHire { throw .noHireHead(plan.path, asked: "--head hire") }
    self.kind = kind ?? (hasHire ? .hire : .dense)
    if exactness != nil, self.kind == .dense { throw .noHireHead(plan.path, asked: "--exact") }
    guard self.kind == .hire else {
      self.exactness = .none
      return
    }
    let usual = try plan.entry("exact", default: Exactness.none)
    self.exactness = exactness ?? usual
    if self.exactness == .certified, !Certifier.exists(in: plan) { throw .noCertificate(plan.path) }
  }
}

extension PlanFile {
  /// A choice that the plan makes, or the default where it makes none.
  func entry<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, default choice: Choice
  ) throws(GenerationError) -> Choice {
    guard let text = program.model(key) else { return choice }
    guard let value = Choice(rawValue: text) else {
      let accepted = Choice.allCases.map(\.rawValue).joined(separator: " or ")
      throw .malformedModelEntry(path, key, text, accepted: accepted)
    }
    return value
  }

  /// How many of the likeliest tokens the HiRE head was chosen to find; nil without one.
  public func headCount() throws(GenerationError) -> Int? {
    guard let text = program.model("head_k") else { return nil }
    guard let count = Int(text), count > 0 else {
      throw .malformedModelEntry(path, "head_k", text, accepted: "1 and more")
    }
    return count
  }
}
