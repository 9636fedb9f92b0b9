import Foundation

/// The small graph of the repository, and plans made of it once.
enum SmallModel {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "graphs/tandem-8m").path

  static let onnx = folder + "/model.onnx"
  /// What drafts for it, reading its hidden states.
  static let small = folder + "/small.onnx"
  static let tokenizer = folder + "/tokenizer.json"

  /// A plan with a context of 64 tokens.
  static let plan = Result { try converted("small.plan", from: onnx) }
  /// The same with weights in blocks of 4 bits.
  static let planInBlocks = Result { try converted("blocks.plan", from: onnx, weights: "q4") }
  /// The same with caches in f16.
  static let planOfNarrowCaches = Result {
    try converted("narrow.plan", from: onnx, more: ["--kv-cache", "f16"])
  }
  static let planWithoutTokenizer = Result {
    // Beside a link there is no tokenizer.
    let link = Scratch.path("linked.onnx")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: onnx)
    return try converted("bare.plan", from: link)
  }

  /// Options for a HiRE head that is calibrated with some of a text and asked for little, so that it takes seconds.
  static func hireHead(_ text: URL) throws -> [String] {
    let part = Scratch.file("calibration.txt", try Data(contentsOf: text).prefix(6_000))
    return ["--recall", "0.9", "--head-k", "4", "--calibration", part]
  }

  private static func converted(
    _ name: String, from model: String, weights: String = "f32", more: [String] = []
  ) throws -> String {
    let path = Scratch.path(name)
    let outcome = try Program.run(
      ["convert", model, "-o", path, "--max-context", "64", "--weights", weights] + more)
    guard outcome.status == 0 else { throw Failure(message: outcome.error) }
    return path
  }

  struct Failure: Error {
    let message: String
  }
}
