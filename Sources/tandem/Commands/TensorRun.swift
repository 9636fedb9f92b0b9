import Execution
import Foundation
import Kernels
import PlanFormat
import Reports
import Tensors

/// `tandem run` on tensors.
struct TensorRun {
  /// The object that `--json` prints.
  private struct Report: Encodable {
    struct Output: Encodable {
      let name: String
      let element: String
      let shape: [Int]
      let file: String
    }
    let outputs: [Output]
    let loadMs: Double
    let runMs: Double
    let peakRssBytes: Int
  }

  let plan: String
  /// `NAME=FILE.npy` each.
  let inputs: [String]
  let output: String
  let allPositions: Bool
  let pool: ThreadPool
  let stats: Bool
  let json: Bool

  func run() throws {
    let start = ContinuousClock.now
    let file = try PlanFile(path: plan)
    let executor = try Executor(file, pool: pool)
    let loadSeconds = (ContinuousClock.now - start) / .seconds(1)
    var feed = TensorFeed(executor)
    for argument in inputs {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
        String.init)
      try feed.add(parts[0], try NPY.read(parts[1]))
    }
    try feed.bind()
    let runStart = ContinuousClock.now
    try executor.run()
    let runSeconds = (ContinuousClock.now - runStart) / .seconds(1)

    var folder = try OutputFolder(output)
    var written: [Report.Output] = []
    for port in executor.function.outputs {
      guard let view = executor.output(port.name) else { continue }
      let shown = allPositions ? view : feed.lastPosition(of: port, view)
      let path = try folder.write(port.name, shown)
      written.append(.init(name: port.name, element: "\(view.element)", shape: shown.shape.array, file: path))
    }
    try folder.commit()
    if json {
      let report = Report(
        outputs: written, loadMs: loadSeconds * 1000, runMs: runSeconds * 1000,
        peakRssBytes: ProcessMemory.peakByteCount)
      try StandardStream.output.write(try JSONText.encode(report))
    } else {
      for output in written {
        try StandardStream.output.write("\(output.name)\t\(output.element)\(output.shape)\t\(output.file)\n")
      }
    }
    if stats {
      try StandardStream.error.write(
        String(
          format: "load %.1f ms, run %.1f ms, memory %.1f MB at most\n", loadSeconds * 1000,
          runSeconds * 1000,
          Double(ProcessMemory.peakByteCount) / 1e6))
    }
  }
}
