import Compiler
import Foundation
import GraphIR
import Operators
import Passes
import Testing

/// A file in `Cases/`: comments, and a module.
///
///     // passes: canonicalize,fuse-residual           the first line
///     // not evaluated: dropout is random             why it cannot be run before and after them
struct PassCase {
  let passes: PassPipeline
  let module: Module
  /// Why the case is not run before and after its passes; nil where it is.
  let unevaluated: String?

  /// Whether its passes promise to keep what it computes, and it can be run.
  var isEvaluated: Bool { unevaluated == nil && passes.passes.allSatisfy { $0.fidelity <= .rounding } }

  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")

  static let names: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".ir") }.sorted()
  }()

  init(_ name: String) throws {
    let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
    let lines = text.split(separator: "\n")
    func entry(_ line: Substring, _ key: String) -> String? {
      line.hasPrefix("// \(key): ") ? String(line.dropFirst("// \(key): ".count)) : nil
    }
    let passes = try #require(lines.first.flatMap { entry($0, "passes") }, "the first line names no passes")
    self.passes = try PassPipeline(parsing: passes, available: Pipeline.uncalibrated.passes)
    unevaluated = lines.lazy.prefix { $0.hasPrefix("//") }.compactMap { entry($0, "not evaluated") }.first
    module = try Module(parsing: text, operators: OperatorSet.standard, blobs: [])
  }
}

extension Pipeline {
  /// All passes but those that need a calibration.
  static let uncalibrated = standard(.automatic, caches: [NarrowCaches()])

  /// The standard pipeline without passes that only measurement can judge.
  static let faithful: PassPipeline = {
    var pipeline = standard
    pipeline.limit(to: .rounding)
    return pipeline
  }()
}
