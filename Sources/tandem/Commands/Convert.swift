public import ArgumentParser
public import Compiler
import Foundation
public import GraphIR

extension Fidelity: ExpressibleByArgument {}
extension ConversionOptions.WeightFormat: ExpressibleByArgument {}

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

  @Option(help: ArgumentHelp("Tokens that caches can hold; by default what the model says.", valueName: "n"))
  var maxContext: Int?

  @Option(help: ArgumentHelp("The format of matrices.", valueName: "format"))
  var weights = ConversionOptions.WeightFormat.auto

  @Option(help: ArgumentHelp("Leave out passes less faithful than this.", valueName: "class"))
  var allow = Fidelity.statistical

  @Option(help: ArgumentHelp("Leave out this pass; may be given several times.", valueName: "pass"))
  var disable: [String] = []

  @Option(help: ArgumentHelp("Write the text of every stage here.", valueName: "dir"), completion: .directory)
  var dumpStages: String?

  @Option(help: ArgumentHelp("The last stage to run: 'import' or a pass.", valueName: "stage"))
  var stopAfter: String?

  @Option(help: ArgumentHelp("Print the text after this stage.", valueName: "stage"))
  var printAfter: String?

  @Flag(help: "Print what every stage did, how long it took, and what it missed, to standard error.")
  var stats = false

  @Flag(help: "Print one JSON object in place of the summary line.")
  var json = false

  func validate() throws {
    if output == nil, stopAfter == nil, printAfter == nil, dumpStages == nil {
      throw ValidationError("give the plan to write with -o PLAN")
    }
    if output != nil, stopAfter != nil {
      throw ValidationError("-o cannot be used with --stop-after, which ends before a plan is written")
    }
    if let maxContext, maxContext < 1 {
      throw ValidationError("--max-context is \(maxContext), accepted are 1 and more")
    }
    let stages = ["import"] + Pipeline.passNames
    for name in [stopAfter, printAfter].compactMap({ $0 }) where !stages.contains(name) {
      throw ValidationError("there is no stage '\(name)', accepted are \(stages.joined(separator: ", "))")
    }
    for name in disable where !Pipeline.passNames.contains(name) {
      throw ValidationError(
        "there is no pass '\(name)', accepted are \(Pipeline.passNames.joined(separator: ", "))")
    }
    try checkRuns(stopAfter, "--stop-after")
    try checkRuns(printAfter, "--print-after")
  }

  /// A stage that is left out is never reached.
  private func checkRuns(_ stage: String?, _ option: String) throws {
    guard let stage else { return }
    if disable.contains(stage) {
      throw ValidationError("\(option) is '\(stage)', which --disable leaves out")
    }
    let fidelities = Pipeline.standard.passes.filter { $0.name == stage }.map(\.fidelity)
    if let least = fidelities.min(), least > allow {
      throw ValidationError(
        "\(option) is '\(stage)', a pass of class '\(least)', which --allow \(allow) leaves out")
    }
  }

  func run() throws {
    var bar = ProgressBar()
    var printed = ""
    let report = try Conversion(
      options, progress: { bar.update($0.stage, $0.fraction) }, printed: { printed += $0 }
    ).run()
    bar.clear()
    try StandardStream.output.write(printed)
    let view = ConversionView(report, output: output)
    if json {
      try StandardStream.output.write(try view.json())
    } else if let line = view.line {
      try StandardStream.output.write(line)
    }
    if stats { try StandardStream.error.write(view.statistics) }
    for warning in view.warnings { StandardStream.warn(warning) }
  }

  private var options: ConversionOptions {
    var options = ConversionOptions(model: model)
    options.output = output
    options.tokenizer = tokenizer
    options.maxContext = maxContext
    options.weights = weights
    options.allow = allow
    options.disable = disable
    options.dumpStages = dumpStages
    options.stopAfter = stopAfter
    options.printAfter = printAfter
    return options
  }
}
