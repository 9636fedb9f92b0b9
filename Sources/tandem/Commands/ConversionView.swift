import Compiler
import Foundation
import GraphIR
import Kernels
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
      /// Numbers of the first and the last change that rules made.
      let patches: [Int]
    }
    struct Miss: Encodable {
      let pass: String
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
    let card: ConversionCard?
  }

  private let report: ConversionReport
  private let output: String?

  init(_ report: ConversionReport, output: String?) {
    self.report = report
    self.output = output
  }

  /// What was made of the model; nil when no plan was written.
  private var card: ConversionCard? {
    guard output != nil, let program = report.program else { return nil }
    let threads = MachineDescription.current.processorCount
    return ConversionCard(
      program, nodesBefore: report.stages.first?.nodeCount ?? 0, misses: report.misses,
      notes: report.notes,
      bandwidth: MachineDescription.readBandwidth(
        threadCount: threads, passes: 2, byteCount: Self.probeByteCount), threads: threads,
      cacheByteCount: MachineDescription.current.cacheByteCount)
  }

  /// Enough to tell memory from caches of the processor, and done in a moment.
  private static let probeByteCount = 128 << 20

  /// The plan in one line, and what was made of the model; nil when none was written.
  var summary: String? {
    line.map { $0 + (card?.text ?? "") + report.details.map { "  \($0)\n" }.joined() }
  }

  /// Why passes left nodes alone, one line each.
  ///
  /// - Parameter pass: the name of a pass or of one of its stages, or `all`.
  func misses(of pass: String) -> String {
    func isMeant(_ stage: String) -> Bool { pass == "all" || stage == pass || stage.hasPrefix(pass + ".") }
    guard pass == "all" || report.stages.contains(where: { isMeant($0.name) }) else {
      return "'\(pass)' did not run: \(report.absences[pass] ?? "the conversion ended before it")\n"
    }
    let found = report.misses.filter { isMeant($0.pass) }
    if found.isEmpty { return "nothing was missed\n" }
    return found.map { "\($0.pass): \($0.miss)\n" }.joined()
  }

  private var line: String? {
    guard let output, let program = report.program else { return nil }
    let imported = report.stages.first?.nodeCount ?? 0
    let context = program.model("context").map { ", context \($0)" } ?? ""
    return """
      \(output): \(Quantity.bytes(report.planByteCount)), \(imported) nodes to \(program.functions.first?.steps.count ?? 0) steps, \
      \(program.functions.first?.states.count ?? 0) caches\(context)\(report.hasTokenizer ? "" : ", no tokenizer")

      """
  }

  /// What the user would want to know before running the plan.
  ///
  /// - Parameter maxContext: the context that was asked for.
  func warnings(maxContext: Int?) -> [String] {
    guard output != nil, let program = report.program, let function = program.functions.first else {
      return []
    }
    var warnings: [String] = []
    if !report.hasTokenizer, function.inputs.contains(where: { $0.name == "input_ids" }) {
      warnings.append("no tokenizer.json: the plan runs on tensors only")
    }
    if let maxContext, let context = program.model("context").flatMap({ Int($0) }), context < maxContext {
      warnings.append("the model has positions for \(context) tokens, fewer than --max-context \(maxContext)")
    }
    return warnings
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
      if let first = stage.record?.patches.first, let last = stage.record?.patches.last {
        text += "  patches \(first.number)...\(last.number)\n"
      }
      for note in stage.record?.notes ?? [] { text += "  \(note)\n" }
    }
    for (pass, miss) in report.misses { text += "missed by \(pass): \(miss)\n" }
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
            notes: stage.record?.notes ?? [],
            patches: [stage.record?.patches.first, stage.record?.patches.last].compactMap { $0?.number })
        },
        misses: report.misses.map { pass, miss in
          Report.Miss(
            pass: pass, operator: miss.operation, location: miss.location, reason: miss.reason)
        }, card: card))
  }
}
