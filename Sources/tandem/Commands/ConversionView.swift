import Compiler
import Foundation
import GraphIR
import PlanFormat
import Reports

/// What `tandem convert` says about a conversion.
struct ConversionView {
  private struct Report: Encodable {
    struct Stage: Encodable {
      let name: String
      let seconds: Double
      let nodeCount: Int
      let fidelity: String?
      let statistics: [String: Int]
      let notes: [String]
    }
    struct Miss: Encodable {
      let `operator`: String
      let location: String
      let reason: String
    }
    let output: String?
    let bytes: Int
    let context: String?
    let hasTokenizer: Bool
    let stages: [Stage]
    let misses: [Miss]
  }

  private let report: ConversionReport
  private let output: String?

  init(_ report: ConversionReport, output: String?) {
    self.report = report
    self.output = output
  }

  private var stepCount: Int { report.program?.functions.reduce(0) { $0 + $1.steps.count } ?? 0 }

  /// The plan in one line; nil when none was written.
  var line: String? {
    guard let output, let program = report.program else { return nil }
    let imported = report.stages.first?.nodeCount ?? 0
    let context = program.model("context").map { ", context \($0)" } ?? ""
    return """
      \(output): \(Quantity.bytes(report.planByteCount)), \(imported) nodes to \(stepCount) steps, \
      \(program.functions.first?.states.count ?? 0) caches\(context)\(report.hasTokenizer ? "" : ", no tokenizer")

      """
  }

  /// What the user would want to know before running the plan.
  var warnings: [String] {
    guard output != nil, let function = report.program?.functions.first else { return [] }
    let takesIDs = function.inputs.contains { $0.name == "input_ids" }
    return takesIDs && !report.hasTokenizer ? ["no tokenizer.json: the plan runs on tensors only"] : []
  }

  /// One line per stage, then the misses.
  var statistics: String {
    var text = ""
    for stage in report.stages {
      let counts = (stage.record?.statistics ?? [:]).sorted { $0.key < $1.key }.map {
        "\($0.value) \($0.key)"
      }
      let name = stage.name.padding(toLength: max(32, stage.name.count), withPad: " ", startingAt: 0)
      text += String(format: "%@ %8.1f ms %6d nodes", name, stage.seconds * 1000, stage.nodeCount)
      text += (counts.isEmpty ? "" : "  " + counts.joined(separator: ", ")) + "\n"
      for note in stage.record?.notes ?? [] { text += "  \(note)\n" }
    }
    for miss in report.misses { text += "missed: \(miss)\n" }
    return text
  }

  func json() throws -> String {
    try JSONText.encode(
      Report(
        output: output, bytes: report.planByteCount, context: report.program?.model("context"),
        hasTokenizer: report.hasTokenizer,
        stages: report.stages.map { stage in
          Report.Stage(
            name: stage.name, seconds: stage.seconds, nodeCount: stage.nodeCount,
            fidelity: stage.record?.fidelity.rawValue, statistics: stage.record?.statistics ?? [:],
            notes: stage.record?.notes ?? [])
        },
        misses: report.misses.map {
          Report.Miss(operator: $0.operation, location: $0.location, reason: $0.reason)
        }))
  }
}
