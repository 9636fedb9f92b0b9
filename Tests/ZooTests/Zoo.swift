import Foundation
import Tensors
import Testing

/// Real exports of tiny models, with the logits that they must give.
///
/// `TANDEM_ZOO` names another folder of the same form.
struct Zoo {
  /// One exported graph.
  struct Entry: CustomTestStringConvertible, Sendable {
    var family: String
    /// The file's name without extension.
    var exporter: String

    var testDescription: String { "\(family)/\(exporter)" }
    var path: String { "\(Zoo.folder)/\(family)/\(exporter).onnx" }

    /// The logits that hold for this file: its own where it computes something else than the family's model.
    var logitsPath: String {
      let own = "\(Zoo.folder)/\(family)/logits.\(exporter).npy"
      return FileManager.default.fileExists(atPath: own) ? own : "\(Zoo.folder)/\(family)/logits.npy"
    }

    var idsPath: String { "\(Zoo.folder)/\(family)/ids.npy" }
  }

  static let folder =
    ProcessInfo.processInfo.environment["TANDEM_ZOO"]
    ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/zoo").path

  /// The small graph of the repository.
  static let tandem8M = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("graphs/tandem-8m/model.onnx").path

  /// Every graph, those without weights included.
  static let all: [Entry] = {
    let manager = FileManager.default
    var entries: [Entry] = []
    for family in (try? manager.contentsOfDirectory(atPath: folder).sorted()) ?? [] {
      for file in (try? manager.contentsOfDirectory(atPath: "\(folder)/\(family)").sorted()) ?? []
      where file.hasSuffix(".onnx") {
        entries.append(Entry(family: family, exporter: String(file.dropLast(5))))
      }
    }
    return entries
  }()

  /// The real model's graphs, whose weights are not here.
  static let structures = all.filter { $0.family == "gemma-3-270m" }

  static let runnable = all.filter { $0.family != "gemma-3-270m" }

  /// Largest absolute difference over the standard deviation of the expected logits; infinite on a NaN.
  ///
  /// - Parameter firstRow: the row of `expected` at which `found` begins.
  static func error(_ found: [Double], _ expected: Tensor, firstRow: Int = 0) -> Double {
    let start = firstRow * (expected.shape.last ?? 1)
    let reference = expected.doubles
    let mean = reference.reduce(0, +) / Double(reference.count)
    let deviation = (reference.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(reference.count))
      .squareRoot()
    guard !found.isEmpty, start + found.count <= reference.count else { return .infinity }
    var worst = 0.0
    for (index, value) in found.enumerated() {
      let difference = abs(value - reference[start + index])
      if !difference.isFinite { return .infinity }
      worst = max(worst, difference)
    }
    return worst / deviation
  }
}
