import ArgumentParser
import Generation

/// Options that say how tokens are drawn.
struct SamplingArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Randomness; 0 takes the likeliest token every time.", valueName: "t"))
  var temperature: Float = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Draw from the k likeliest tokens only; 0 means all.", valueName: "k"))
  var topK = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Draw from the likeliest tokens that together have this probability.", valueName: "p"))
  var topP: Float = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from tokens at least this many times as likely as the likeliest.", valueName: "p"))
  var minP: Float = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Make tokens that occurred less likely; 1 means no change.", valueName: "r"))
  var repetitionPenalty: Float = 1

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Never draw this token; may be given several times.", valueName: "id"))
  var banToken: [Int32] = []

  @Option(parsing: .unconditional, help: ArgumentHelp("Equal seeds give equal text.", valueName: "n"))
  var seed: UInt64 = 0

  var options: SamplingOptions {
    var options = SamplingOptions()
    options.temperature = temperature
    options.topK = topK
    options.topP = topP
    options.minP = minP
    options.repetitionPenalty = repetitionPenalty
    options.bannedTokens = Set(banToken)
    options.seed = seed
    return options
  }

  func validate() throws {
    if let problem = options.problem { throw ValidationError(problem) }
  }
}
