import Foundation
import Kernels
import Testing

/// Kernels held back to each instruction set that this machine runs.
@Suite struct InstructionSetTests {
  /// Accepted differences of logits, over their standard deviation: the largest, and the root of the mean
  /// square.
  ///
  /// A difference in the last place may turn over how an activation is rounded to 8 bits, and with that which
  /// groups of neurons are active in this model; that is seen in single positions.
  private struct Tolerance {
    var largest: Float, rootMeanSquare: Float
    static let numbers = Tolerance(largest: 1e-4, rootMeanSquare: 1e-5)
    static let blocks = Tolerance(largest: 0.5, rootMeanSquare: 0.03)
  }

  private func run(_ arguments: [String], on set: String) throws -> Program.Outcome {
    try Program.run(arguments, environment: ["TANDEM_ISA": set])
  }

  @Test func everyInstructionSetWritesTheSameText() throws {
    let plan = try SmallModel.plan.get()
    for set in InstructionSet.available {
      let outcome = try run(["run", plan, "--prompt", "The SMTP server", "-n", "20"], on: set.name)
      #expect(outcome.status == 0, "\(set.name): \(outcome.error)")
      #expect(outcome.output.hasPrefix(" is a simple way to create a new SMTP"), "\(set.name)")
    }
  }

  /// OpenBLAS is loaded after its core type is chosen: were it linked, it would have chosen itself.
  @Test func openBLASIsHeldBack() throws {
    let cores = ["portable": "Nehalem", "avx2": "Haswell"]
    for set in InstructionSet.available.dropLast() {
      let outcome = try run(["hw", "--threads", "1"], on: set.name)
      guard let core = cores[set.name], !outcome.output.contains("OPENBLAS_CORETYPE") else { continue }
      #expect(outcome.output.contains("OpenBLAS     \(core)"), "\(set.name): \(outcome.output)")
    }
  }

  /// A prompt as long as products with OpenBLAS are made for, and one of a few tokens.
  @Test(arguments: [40, 5])
  func logitsStayWithinTheTolerance(_ count: Int) throws {
    try compare(try SmallModel.plan.get(), .numbers, tokens: count)
    try compare(try SmallModel.planInBlocks.get(), .blocks, tokens: count)
  }

  private func compare(_ plan: String, _ tolerance: Tolerance, tokens count: Int) throws {
    let ids = Scratch.integers((0..<count).map { ($0 * 7919 + 3) % 16384 }, "(1, \(count))")
    let logits = try InstructionSet.available.map { set in
      let folder = Scratch.path(set.name)
      let outcome = try run(
        ["run", plan, "--input", "input_ids=\(ids)", "--output", folder, "--all-positions"], on: set.name)
      #expect(outcome.status == 0, "\(set.name): \(outcome.error)")
      return try floats(folder + "/logits.npy", count * 16384)
    }
    let mean = logits[0].reduce(0, +) / Float(logits[0].count)
    let deviation = Self.rootMeanSquare(logits[0].map { $0 - mean })
    for (set, found) in zip(InstructionSet.available, logits).dropFirst() {
      let differences = zip(found, logits[0]).map { abs($0 - $1) }
      #expect(differences.max()! <= tolerance.largest * deviation, "\(set.name)")
      #expect(Self.rootMeanSquare(differences) <= tolerance.rootMeanSquare * deviation, "\(set.name)")
    }
  }

  private static func rootMeanSquare(_ values: [Float]) -> Float {
    Float((values.reduce(0.0) { $0 + Double($1 * $1) } / Double(values.count)).squareRoot())
  }

  private func floats(_ path: String, _ count: Int) throws -> [Float] {
    let bytes = try Data(contentsOf: URL(filePath: path)).suffix(count * 4)
    return bytes.withUnsafeBytes { raw in
      (0..<count).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
  }

  @Test func hwTellsWhatIsForced() throws {
    for set in InstructionSet.available {
      let outcome = try run(["hw", "--json", "--threads", "1"], on: set.name)
      let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      #expect(report?["instruction_sets"] as? [String] == InstructionSet.available.map(\.name))
      #expect(report?["forced_instruction_set"] as? String == set.name)
      let kernels = try #require(report?["kernels"] as? [[String: Any]])
      for entry in kernels {
        let kernel = try #require(MicroKernel.all.first { $0.name == entry["kernel"] as? String })
        #expect(kernel.requiredFeatures.isSubset(of: set.features), "\(kernel) with \(set.name)")
      }
    }
  }

  @Test func otherNamesAreRefused() throws {
    let accepted = InstructionSet.available.map { "'\($0.name)'" }.joined(separator: ", ")
    let foreign = MicroKernel.all.first { !$0.isRunnable }?.isa ?? "neon"
    for (set, problem) in [("sse9", ""), (foreign, ", which this machine does not run")] {
      for arguments in [["hw"], ["run", try SmallModel.plan.get(), "--prompt", "a"]] {
        let outcome = try run(arguments, on: set)
        #expect(outcome.status == 2)
        #expect(outcome.output.isEmpty)
        #expect(
          outcome.error == "tandem: error: TANDEM_ISA is '\(set)'\(problem); accepted here are \(accepted)\n")
      }
    }
  }
}
