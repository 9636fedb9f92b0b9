import ArgumentParser
import Foundation
import Kernels
import Reports

/// `tandem hw`: what this machine offers.
struct Hardware: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hw",
    abstract: "Shows what this machine offers, and the kernels chosen for it.",
    discussion: """
      For reports of speed, which mean little without it. Bandwidth is measured with 512 MB of memory. \
      TANDEM_ISA=NAME in the environment of any command holds kernels back to one of the instruction sets.

        tandem hw --json
      """)

  @OptionGroup var threads: ThreadArguments

  @Flag(help: "Print one JSON object.")
  var json = false

  private struct Report: Encodable {
    struct Kernel: Encodable {
      let family: String
      let kernel: String
    }
    struct BLAS: Encodable {
      let core: String
      let reason: String
    }
    struct Bandwidth: Encodable {
      let threads: Int
      let gbPerSecond: Double
    }
    let processor: String
    let cores: Int
    let features: [String]
    let instructionSets: [String]
    let forcedInstructionSet: String?
    let bandwidth: [Bandwidth]
    let kernels: [Kernel]
    let openblas: BLAS?
  }

  func run() throws {
    let machine = MachineDescription.current
    let most = threads.threads ?? machine.processorCount
    let report = Report(
      processor: machine.processorName, cores: machine.processorCount, features: machine.features.names,
      instructionSets: machine.instructionSets, forcedInstructionSet: machine.forcedInstructionSet,
      bandwidth: Set([1, most]).sorted().map { count in
        .init(threads: count, gbPerSecond: MachineDescription.readBandwidth(threadCount: count) / 1e9)
      },
      kernels: machine.kernels.map { .init(family: $0.family, kernel: $0.kernel) },
      openblas: machine.openBLAS.map { .init(core: $0.core, reason: $0.reason) })
    try StandardStream.output.write(json ? try JSONText.encode(report) : Self.text(report))
  }

  private static func text(_ report: Report) -> String {
    var rows = [
      ["processor", report.processor.isEmpty ? "unknown" : report.processor],
      ["cores", "\(report.cores)"],
      [
        "features",
        report.features.isEmpty ? "none beyond the baseline" : report.features.joined(separator: " "),
      ],
    ]
    let forced = report.forcedInstructionSet.map { ", held back to \($0) by \(InstructionSet.variable)" }
    rows.append(["kernels for", report.instructionSets.joined(separator: " ") + (forced ?? "")])
    for entry in report.bandwidth {
      let rate = String(format: "%.1f GB/s", entry.gbPerSecond)
      rows.append(["read", "\(rate) with \(entry.threads) \(entry.threads == 1 ? "thread" : "threads")"])
    }
    rows.append(["OpenBLAS", report.openblas.map { "\($0.core) (\($0.reason))" } ?? "absent"])
    for entry in report.kernels { rows.append([entry.family, entry.kernel]) }
    return TextTable(rows: rows).text
  }
}
