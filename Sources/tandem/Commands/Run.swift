import ArgumentParser

/// `tandem run`: text or tensors through a plan.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continues a text, or runs a graph on tensors.",
    discussion: """
      Text is printed as it is generated; Ctrl-C stops and prints the statistics so far.

        tandem run model.plan --prompt "The capital of France is" -n 32 --stats
        tandem run model.plan --input input_ids=ids.npy --output results

      With --input, every output is written to the folder as NAME.npy. Of a decoder, attention mask, positions and \
      empty caches may be left out; its logits are those of the last position unless all are asked for.
      """)

  @Argument(help: "A plan that 'tandem convert' wrote.", completion: .file(extensions: ["plan"]))
  var plan: String

  @Option(parsing: .unconditional, help: ArgumentHelp("The text to continue.", valueName: "text"))
  var prompt: String?

  @Option(
    help: ArgumentHelp(
      "A file with the text to continue, '-' for standard input; a final newline is dropped.",
      valueName: "file"),
    completion: .file())
  var promptFile: String?

  @Option(
    name: [.customShort("n"), .customLong("max-tokens")], parsing: .unconditional,
    help: ArgumentHelp("The most tokens to generate.", valueName: "count"))
  var maxTokens = 128

  @OptionGroup(title: "Sampling") var sampling: SamplingArguments

  @OptionGroup(title: "Head") var head: HeadArguments

  @OptionGroup(title: "Drafting") var drafting: DraftArguments

  @Flag(help: "On a terminal, show text dimmed that is not verified yet, of drafts and of --exact deferred.")
  var provisional = false

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("End before this string; may be given several times.", valueName: "text"))
  var stop: [String] = []

  @Flag(help: "Leave out the tokens that the tokenizer puts in front of a text, such as <bos>.")
  var noBos = false

  @Flag(help: "Go on after the model's end of text.")
  var ignoreEos = false

  @Option(
    help: ArgumentHelp("An input tensor; may be given several times.", valueName: "name=file.npy"),
    completion: .file(extensions: ["npy"]))
  var input: [String] = []

  @Option(help: ArgumentHelp("The folder for output tensors.", valueName: "dir"), completion: .directory)
  var output: String?

  @Flag(help: "With --input: write the logits of all positions, not of the last one.")
  var allPositions = false

  @OptionGroup var threads: ThreadArguments

  @Flag(
    help:
      "Print counts and times to standard error; of a drafted text, beside a second run that drafts nothing.")
  var stats = false

  @Flag(help: "Print one JSON object with text, token ids and times in place of the text.")
  var json = false

  func validate() throws {
    let sources = [prompt != nil, promptFile != nil, !input.isEmpty].filter { $0 }.count
    guard sources == 1 else {
      throw ValidationError("give one of --prompt, --prompt-file and --input")
    }
    if maxTokens < 1 { throw ValidationError("-n is \(maxTokens), accepted are 1 and more") }
    if input.isEmpty, output != nil || allPositions {
      throw ValidationError("--output and --all-positions need --input")
    }
    if !input.isEmpty, output == nil { throw ValidationError("--input needs --output DIR") }
    for argument in input where !argument.contains("=") {
      throw ValidationError("--input is '\(argument)', accepted is NAME=FILE.npy")
    }
    if !input.isEmpty, head.head != nil || head.exact != nil || provisional || drafting.isAsked {
      throw ValidationError(
        "options of head and drafting, and --provisional, need --prompt or --prompt-file")
    }
    if stop.contains("") { throw ValidationError("--stop is empty, accepted is a string") }
  }

  func run() throws {
    if let output {
      try TensorRun(
        plan: plan, inputs: input, output: output, allPositions: allPositions, pool: try threads.pool(),
        stats: stats,
        json: json
      ).run()
    } else {
      try TextRun(self).run()
    }
  }
}
