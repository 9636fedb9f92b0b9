import ArgumentParser
import Compiler
import Foundation
import GraphIR
import ONNXImport
import Operators
import PlanFormat
import Reports

/// `tandem inspect`: what a model, a stage or a plan consists of.
struct Inspect: ParsableCommand {
  enum View: String, CaseIterable, ExpressibleByArgument {
    case summary, table, text, dot, json
  }

  static let configuration = CommandConfiguration(
    abstract: "Shows what a model, a stage of its conversion, or a plan consists of.",
    discussion: """
      A summary by default; 'table' has a row per node or step, 'text' is the IR or the disassembly, 'dot' is for \
      Graphviz, 'json' for programs.

        tandem inspect model.plan --as table
        tandem inspect model.onnx --as dot | dot -Tsvg > model.svg
        tandem inspect model.onnx --why-not all
      """)

  @Argument(
    help: "MODEL.onnx, STAGE.ir or MODEL.plan.", completion: .file(extensions: ["onnx", "ir", "plan"]))
  var file: String

  @Option(name: .customLong("as"), help: ArgumentHelp("What to show.", valueName: "view"))
  var view = View.summary

  @Flag(help: "Also compare every section of a plan with its checksum.")
  var verify = false

  @Option(
    help: ArgumentHelp(
      "Run the passes on a model or a stage, and print why this one left nodes alone, or why all did.",
      valueName: "pass|all"))
  var whyNot: String?

  func validate() throws { try Convert.check(ConversionOptions(model: file), whyNot: whyNot) }

  func run() throws {
    if let whyNot {
      guard try !isPlan() else {
        throw CommandError(.wrongUsage, "--why-not is for models and stages, '\(file)' is a plan")
      }
      let report = try Conversion(ConversionOptions(model: file)).run()
      try StandardStream.output.write(ConversionView(report, output: nil).misses(of: whyNot))
    } else if try isPlan() {
      let plan = try PlanFile(path: file)
      if verify { try plan.verify() }
      guard let view = PlanView(rawValue: view.rawValue) else {
        throw CommandError(
          .wrongUsage, "--as \(view.rawValue) shows graphs, accepted for a plan are \(Self.planViews)")
      }
      try StandardStream.output.write(try plan.view(as: view))
    } else {
      if verify { throw CommandError(.wrongUsage, "--verify is for plans, '\(file)' is none") }
      let module =
        file.hasSuffix(".ir")
        ? try Module(contentsOf: file, operators: OperatorSet.standard) : try Module(importing: file)
      let view = ModuleView(rawValue: view.rawValue) ?? .summary
      try StandardStream.output.write(try module.view(as: view, operators: OperatorSet.standard))
    }
  }

  private static var planViews: String { PlanView.allCases.map(\.rawValue).joined(separator: ", ") }

  /// By name, and for other names by the first bytes.
  private func isPlan() throws -> Bool {
    if file.hasSuffix(".plan") { return true }
    if file.hasSuffix(".ir") || file.hasSuffix(".onnx") { return false }
    return PlanFile.isPlan(path: file)
  }
}
