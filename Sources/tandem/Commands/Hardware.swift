import ArgumentParser
import Foundation
import Kernels
import Reports
import Tensors

/// `tandem hw`: what this machine offers.
struct Hardware: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hw",
    abstract: "Shows what this machine offers, and the kernels chosen for it.",
    discussion: """
      For reports of speed, which mean little without it. Bandwidth is measured by reading 512 MB of memory, the peak \
      of products on weights that stay in cache (16 rows at a time; two operations per weight and row). TANDEM_ISA=NAME in the environment of \
      any command holds kernels back to one of the instruction sets.

        tandem hw --json
      """)

  @OptionGroup var threads: ThreadArguments

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let machine = MachineDescription.current
    let report = HardwareReport(
      machine, threadCounts: Self.threadCounts(to: threads.threads ?? machine.processorCount))
    try StandardStream.output.write(json ? try JSONText.encode(report) : report.text)
  }

  /// 1, 2, 4, ... and `most`.
  private static func threadCounts(to most: Int) -> [Int] {
    Array(sequence(first: 1) { $0 * 2 }.prefix { $0 < most }) + [most]
  }
}

private struct HardwareReport: Encodable {
  struct Bandwidth: Encodable {
    let threads: Int
    let gbPerSecond: Double
  }
  struct Peak: Encodable {
    let format: String
    let threads: Int
    let gopsPerSecond: Double
  }
  struct Family: Encodable {
    let family: String
    /// The one that runs here.
    let kernel: String
    /// All of this architecture, the best last.
    let ladder: [Rung]
  }
  struct Rung: Encodable {
    let kernel: String
    let isa: String
    let isChosen: Bool
    /// What it needs and this processor lacks.
    let missing: [String]
  }
  struct BLAS: Encodable {
    let core: String
    let reason: String
  }
  let processor: String
  let cores: Int
  let features: [String]
  let instructionSets: [String]
  let forcedInstructionSet: String?
  let bandwidth: [Bandwidth]
  let peaks: [Peak]
  let kernels: [Family]
  let openblas: BLAS?

  init(_ machine: MachineDescription, threadCounts: [Int]) {
    processor = machine.processorName
    cores = machine.processorCount
    features = machine.features.names
    (instructionSets, forcedInstructionSet) = (machine.instructionSets, machine.forcedInstructionSet)
    bandwidth = threadCounts.map { count in
      Bandwidth(threads: count, gbPerSecond: MachineDescription.readBandwidth(threadCount: count) / 1e9)
    }
    peaks = BlockFormat.allCases.reversed().flatMap { format in
      Set([1, threadCounts.last ?? 1]).sorted().map { count in
        let peak = MachineDescription.dotProductPeak(format, threadCount: count)
        return Peak(format: format.rawValue, threads: count, gopsPerSecond: peak / 1e9)
      }
    }
    kernels = machine.kernels.map { Family($0.family, chosen: $0.kernel) }
    openblas = machine.openBLAS.map { BLAS(core: $0.core, reason: $0.reason) }
  }

  var text: String {
    var rows = [
      ["processor", processor.isEmpty ? "unknown" : processor],
      ["cores", "\(cores)"],
      ["features", features.isEmpty ? "none beyond the baseline" : features.joined(separator: " ")],
    ]
    let forced = forcedInstructionSet.map { ", held back to \($0) by \(InstructionSet.variable)" }
    rows.append(["kernels for", instructionSets.joined(separator: " ") + (forced ?? "")])
    for entry in bandwidth {
      let rate = String(format: "%.1f GB/s", entry.gbPerSecond)
      rows.append(["read", "\(rate) with \(entry.threads) \(entry.threads == 1 ? "thread" : "threads")"])
    }
    rows.append(["OpenBLAS", openblas.map { "\($0.core) (\($0.reason))" } ?? "absent"])
    return TextTable(rows: rows).text + "\n" + peakText + "\n" + ladderText
  }

  private var peakText: String {
    let counts = Set(peaks.map(\.threads)).sorted()
    var rows = [["products in cache, GOP/s"] + counts.map { "\($0) \($0 == 1 ? "thread" : "threads")" }]
    for format in BlockFormat.allCases.reversed() {
      let rates = peaks.filter { $0.format == format.rawValue }.map {
        String(format: "%.1f", $0.gopsPerSecond)
      }
      rows.append([format.rawValue] + rates)
    }
    return TextTable(rows: rows, alignments: [.left] + counts.map { _ in .right }).text
  }

  private var ladderText: String {
    let rows = kernels.map { family in
      [family.family, family.ladder.map(\.text).joined(separator: "  ")]
    }
    return "kernels: [chosen], (what needs features that are not here)\n" + TextTable(rows: rows).text
  }
}

extension HardwareReport.Family {
  fileprivate init(_ name: String, chosen: String) {
    (family, kernel) = (name, chosen)
    ladder = MicroKernel.all.filter { $0.family == name && $0.isBuilt }.map {
      HardwareReport.Rung(
        kernel: $0.name, isa: $0.isa, isChosen: $0.name == chosen, missing: $0.missingFeatures.names)
    }
  }
}

extension HardwareReport.Rung {
  fileprivate var text: String { isChosen ? "[\(isa)]" : missing.isEmpty ? isa : "(\(isa))" }
}
