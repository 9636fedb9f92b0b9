import Execution
public import Kernels
import PlanFormat

/// What proposes tokens for a decoder to verify.
public final class Drafting {
  /// The function that proposes by some of the decoder's layers.
  public static let layersFunction = LayerDrafter.name

  public enum Kind: String, CaseIterable, Sendable {
    /// Nothing: every token is drawn from a run of its own.
    case none
    /// What followed the last tokens in the text before (``NgramDrafter``).
    case ngram
    /// A small model that reads hidden states of the decoder (``TandemDrafter``).
    case tandem
    /// Some of the decoder's own layers (``LayerDrafter``).
    case layers
  }

  public let kind: Kind
  /// Tokens of a draft at most, as long as it is adaptive.
  public let limit: Int
  let drafter: any Drafter

  /// Makes a drafter for a decoder.
  ///
  /// - Parameter kind: what is asked for; what the plan says when nil.
  /// - Returns: nil where nothing drafts.
  /// - Throws: ``GenerationError`` when the decoder cannot verify drafts.
  public static func make(_ kind: Kind?, for decoder: Decoder, pool: ThreadPool) throws(GenerationError)
    -> Drafting?
  {
    let plan = decoder.executor.plan
    let usual = try plan.entry("draft", default: Kind.none)
    switch kind ?? usual {
    case .none: return nil
    case .ngram:
      try check(decoder, plan, asked: "--draft ngram")
      return Drafting(.ngram, NgramDrafter(), decoder)
    case .tandem:
      guard TandemDrafter.exists(in: plan) else { throw .noSmallModel(plan.path) }
      try check(decoder, plan, asked: "--draft tandem")
      return Drafting(
        .tandem, try TandemDrafter(decoder, pool: pool), decoder, limit: try plan.draftLimit())
    case .layers:
      guard LayerDrafter.exists(in: plan) else { throw .noLayers(plan.path) }
      try check(decoder, plan, asked: "--draft layers")
      return Drafting(.layers, try LayerDrafter(decoder, pool: pool), decoder, limit: try plan.draftLimit())
    }
  }

  init(_ kind: Kind, _ drafter: any Drafter, _ decoder: Decoder, limit: Int = BlockLength.largest) {
    (self.kind, self.drafter, self.limit) = (kind, drafter, limit)
    decoder.timeHeads()
  }

  private static func check(_ decoder: Decoder, _ plan: PlanFile, asked: String) throws(GenerationError) {
    if decoder.verifiedCount < 2 { throw .cannotVerify(plan.path, asked: asked) }
  }
}

extension PlanFile {
  /// Tokens of a draft at most, as measured when the plan was made.
  fileprivate func draftLimit() throws(GenerationError) -> Int {
    guard let text = program.model("draft_limit") else { return BlockLength.largest }
    guard let limit = Int(text), (1...BlockLength.largest).contains(limit) else {
      throw .malformedModelEntry(path, "draft_limit", text, accepted: "1...\(BlockLength.largest)")
    }
    return limit
  }
}
