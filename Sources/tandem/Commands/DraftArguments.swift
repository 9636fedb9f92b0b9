public import ArgumentParser
public import Generation

extension Drafting.Kind: ExpressibleByArgument {}

extension BlockLength: ExpressibleByArgument {
  public init?(argument: String) {
    if argument == "auto" {
      self = .adaptive
    } else if let count = Int(argument), (1...Self.largest).contains(count) {
      self = .fixed(count)
    } else {
      return nil
    }
  }

  public var defaultValueDescription: String { "auto" }
}

/// Options that say what proposes tokens for the model to verify.
struct DraftArguments: ParsableArguments {
  @Option(
    help: """
      What proposes tokens, of which the model verifies several in one run: what followed the same words before in \
      the text (ngram), a small model that reads its hidden states (tandem, where converted with one), some of its \
      layers (layers, where converted with --tandem derived), or nothing. The text is the same.
      """)
  var draft: Drafting.Kind?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Tokens to draft at a time, 1 to \(BlockLength.largest), or as many as pay (auto).", valueName: "n|auto"
    ))
  var block: BlockLength = .adaptive

  @Flag(
    help: """
      Keep drafts as they are; the model only draws the token behind each. The text is that of the drafter, --block auto \
      makes drafts as long as they save time, and --stats says how much of them the model would have drawn.
      """)
  var unverified = false

  @Flag(help: "Print proposed tokens that were accepted in green.")
  var showAccept = false

  var isAsked: Bool { draft != nil || block != .adaptive || unverified || showAccept }

  func validate() throws {
    if draft == Drafting.Kind.none, block != .adaptive || unverified || showAccept {
      throw ValidationError("--block, --unverified and --show-accept are for drafts, and --draft is 'none'")
    }
  }
}
