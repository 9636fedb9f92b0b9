public import ArgumentParser
public import Compiler
import Foundation
public import GraphIR

extension Fidelity: ExpressibleByArgument {}
extension ConversionOptions.WeightFormat: ExpressibleByArgument {}
extension ConversionOptions.CacheFormat: ExpressibleByArgument {}
extension ConversionOptions.Head: ExpressibleByArgument {}
extension ConversionOptions.FeedForward: ExpressibleByArgument {}
extension ConversionOptions.Exactness: ExpressibleByArgument {}

/// A budget as `kl=0.01`.
struct DivergenceBudget: ExpressibleByArgument {
  let nats: Double

  init?(argument: String) {
    guard argument.hasPrefix("kl="), let nats = Double(argument.dropFirst(3)) else { return nil }
    self.nats = nats
  }
}

/// `tandem convert`: an exported model to a plan.
struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compiles an exported model into a plan.",
    discussion: """
      The plan is one file that 'tandem run' uses in place. A conversion that fails leaves none behind.

        tandem convert model.onnx -o model.plan --max-context 2048

      Stages can be looked at and taken up again:

        tandem convert model.onnx --dump-stages stages --stop-after fold-constants
        tandem convert stages/00-import.ir -o model.plan

      The summary says what was recognized in the model, which steps of the decode loop are general ones, and what \
      passes missed. --json prints the same under 'card':

        nodes_before, functions {name, steps}
        layers {count, steps}                  the sequence of steps that repeats
        attention {recognized, unrecognized, heads, key_value_heads,
          windows {size, layers}, full, query_key_norms, rotary, rotary_tables,
          slopes, softcap, key_mask}           layers with each
        feed_forward {recognized, gated, plain, sparse, activations}
        normalization {rms, layer, residual, branch, unrecognized}
        head {recognized, tied, softcap, last_only, candidates,
          bounds}                              format of the copy for proofs
        embedding {recognized, scale, positions}
        caches {in_place, copied, elements}, general_steps {name, count}
        weights {element, count, elements, bytes}   by format
        traffic {weights, caches, positions}   bytes that decoding a token reads
        memory {weights, caches, temporaries, context}
        notes                                  what passes had to say of the weights
        missed {pass, operator, reason, location, count}
        bandwidth, threads, cache_byte_count   this machine
        tokens_per_second                      by memory; absent if all is in cache
      """)

  @Argument(
    help: "MODEL.onnx, or a stage that --dump-stages wrote.", completion: .file(extensions: ["onnx", "ir"]))
  var model: String

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The plan to write.", valueName: "plan"),
    completion: .file(extensions: ["plan"]))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "By default tokenizer.json beside the model, if there is one.", valueName: "tokenizer.json"),
    completion: .file(extensions: ["json"]))
  var tokenizer: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Tokens that caches can hold; by default what the model says.", valueName: "n"))
  var maxContext: Int?

  @Option(
    help: ArgumentHelp(
      "The format of matrices; auto takes the smallest that reproduces them, q8 where none does.",
      valueName: "format"))
  var weights = ConversionOptions.WeightFormat.auto

  @Option(
    name: .customLong("kv-cache"),
    help: ArgumentHelp(
      "The type of keys and values in caches, also of those that 'run --input' is given: f16 halves them.",
      valueName: "type"))
  var kvCache = ConversionOptions.CacheFormat.f32

  @Option(
    help: ArgumentHelp(
      "hire adds a head that computes the logits of candidates only, found by a predictor; by default dense, with"
        + " --tandem derived hire.", valueName: "head"))
  var head: ConversionOptions.Head?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Likeliest tokens that a HiRE head must find.", valueName: "k"))
  var headK = 64

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The share of them that it must find, on hidden states held out.", valueName: "share"))
  var recall = 0.999

  @Flag(help: ArgumentHelp("Tell what other kinds of predictors would find.", visibility: .hidden))
  var comparePredictors = false

  @Option(
    help: ArgumentHelp(
      "What holds of text by a HiRE head: deferred and certified make it what all logits give; both may keep"
        + " a smaller copy of the head in the plan for that; by default none, with --tandem derived deferred.",
      valueName: "class"))
  var exact: ConversionOptions.Exactness?

  @Option(
    name: .customLong("ffn"),
    help: ArgumentHelp(
      "hire computes only the neurons that matter, in blocks that have ReLU or were trained with groups of neurons.",
      valueName: "blocks"))
  var feedForward = ConversionOptions.FeedForward.dense

  @Option(
    name: .customLong("ffn-recall"), parsing: .unconditional,
    help: ArgumentHelp(
      "The share of active groups or neurons that a predictor must find; with 1 ReLU is not predicted.",
      valueName: "share"))
  var feedForwardRecall = 0.99

  @Option(
    name: .customLong("ffn-keep"), parsing: .unconditional,
    help: ArgumentHelp(
      "Neurons that blocks keep which have neither trained groups nor ReLU; without it these stay dense.",
      valueName: "share"))
  var feedForwardKeep: Double?

  @Option(
    name: .customLong("ffn-budget"),
    help: ArgumentHelp(
      "How far such blocks may move the logits, mean KL in nats: each block is tried on texts of the model's own, and"
        + " the most bytes are saved; what does not pay stays dense.",
      valueName: "kl=nats"))
  var feedForwardBudget: DivergenceBudget?

  @Option(
    help: ArgumentHelp(
      "A small model that reads this one's hidden states and drafts for it; 'derived' makes drafters of the model itself,"
        + " HiRE head, layers and n-grams, and finds the fastest by trial.", valueName: "small.onnx|derived"),
    completion: .file(extensions: ["onnx"]))
  var tandem: String?

  @Option(
    help: ArgumentHelp(
      "What a predictor is fitted to: a text, or 'self' for texts that the model writes.",
      valueName: "file|self"),
    completion: .file())
  var calibration = "self"

  @Option(help: ArgumentHelp("Leave out passes less faithful than this.", valueName: "class"))
  var allow = Fidelity.statistical

  @Option(
    help: ArgumentHelp(
      "Leave out these passes, joined by commas; may be given several times.", valueName: "passes"))
  var disable: [String] = []

  @Option(
    help: ArgumentHelp(
      "Run these passes, joined by commas, in place of the standard ones.", valueName: "passes"))
  var passes: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Rules change nothing after this patch; --stats shows the numbers of each pass.", valueName: "n"))
  var stopAfterPatch: Int?

  @Option(help: ArgumentHelp("Write the text of every stage here.", valueName: "dir"), completion: .directory)
  var dumpStages: String?

  @Option(
    help: ArgumentHelp(
      "The last stage to run: 'import' or a pass; PASS.2 is its second run.", valueName: "stage"))
  var stopAfter: String?

  @Option(
    help: ArgumentHelp(
      "Print the text after this stage, or after every pass that changed something.",
      valueName: "stage|changed"))
  var printAfter: String?

  @Option(
    help: ArgumentHelp(
      "Print why this pass left nodes alone, or why all did; PASS.2 is its second run.",
      valueName: "pass|all"))
  var whyNot: String?

  @Flag(help: "Print what every stage did, how long it took, and what it missed, to standard error.")
  var stats = false

  @Flag(help: "Print one JSON object in place of the summary.")
  var json = false

  func validate() throws {
    if output == nil, stopAfter == nil, printAfter == nil, dumpStages == nil, whyNot == nil {
      throw ValidationError("give the plan to write with -o PLAN")
    }
    if output != nil, stopAfter != nil {
      throw ValidationError("-o cannot be used with --stop-after, which ends before a plan is written")
    }
    try Self.check(options, whyNot: whyNot)
  }

  static func check(_ options: ConversionOptions, whyNot: String?) throws {
    do throws(CompilerError) {
      try options.check()
      try options.check(whyNot: whyNot)
    } catch {
      throw ValidationError(error.message)
    }
  }

  func run() throws {
    var bar = ProgressBar()
    var printed = ""
    var report = try Conversion(
      options, progress: { bar.update($0.stage, $0.fraction) }, printed: { printed += $0 }
    ).run()
    bar.clear()
    // The speed of memory is measured with some of it: not on top of all weights.
    report.releaseModule()
    try StandardStream.output.write(printed)
    let view = ConversionView(report, output: output)
    if json {
      try StandardStream.output.write(try view.json())
    } else {
      if let summary = view.summary { try StandardStream.output.write(summary) }
      if let whyNot { try StandardStream.output.write(view.misses(of: whyNot)) }
    }
    if stats { try StandardStream.error.write(view.statistics) }
    for warning in view.warnings(maxContext: maxContext) { StandardStream.warn(warning) }
  }

  private var options: ConversionOptions {
    var options = ConversionOptions(model: model)
    options.output = output
    options.tokenizer = tokenizer
    options.maxContext = maxContext
    options.weights = weights
    options.kvCache = kvCache
    options.derivesDrafter = tandem == "derived"
    options.tandem = options.derivesDrafter ? nil : tandem
    options.head = head ?? (options.derivesDrafter ? .hire : .dense)
    options.headK = headK
    options.recall = recall
    options.comparesPredictors = comparePredictors
    options.exact = exact ?? (options.derivesDrafter && options.head == .hire ? .deferred : .none)
    options.feedForward = feedForward
    options.feedForwardRecall = feedForwardRecall
    options.feedForwardKeep = feedForwardKeep
    options.feedForwardBudget = feedForwardBudget?.nats
    options.calibration = calibration == "self" ? nil : calibration
    options.allow = allow
    options.disable = disable.flatMap { names in
      names.split(separator: ",", omittingEmptySubsequences: false).map { String($0.drop { $0 == " " }) }
    }
    options.passes = passes
    options.patchLimit = stopAfterPatch
    options.dumpStages = dumpStages
    options.stopAfter = stopAfter
    options.printAfter = printAfter
    return options
  }
}
