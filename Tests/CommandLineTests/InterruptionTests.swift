import Foundation
import Testing

/// Ctrl-C while text is written.
@Suite struct InterruptionTests {
  private static let plan = Result {
    let path = Scratch.path("interrupted.plan")
    let small = URL(filePath: SmallModel.onnx).deletingLastPathComponent().appending(path: "small.onnx").path
    let outcome = try Program.run(
      ["convert", SmallModel.onnx, "--tandem", small, "-o", path, "--weights", "f32"])
    guard outcome.status == 0 else { throw SmallModel.Failure(message: outcome.error) }
    return path
  }

  /// Text ends between tokens, long before all are drawn, and what was written is that of a whole run.
  @Test(arguments: [
    ["--draft", "none"], ["--draft", "ngram", "--block", "4"], ["--draft", "tandem", "--block", "4"],
    ["--draft", "tandem", "--block", "auto"],
  ])
  func textEndsBetweenTokens(_ draft: [String]) throws {
    let arguments = ["run", try Self.plan.get(), "--prompt", "The SMTP server", "--ignore-eos"] + draft
    let whole = try Program.run(arguments + ["-n", "240"])
    let part = try Program.run(arguments + ["-n", "240", "--stats"], interruptedAfter: 40)
    #expect(part.error.contains("ended by cancelled"), "\(part.error)")
    let text = part.output.hasSuffix("\n") ? String(part.output.dropLast()) : part.output
    #expect(text.utf8.count >= 40 && text.utf8.count < whole.output.utf8.count / 2)
    #expect(whole.output.hasPrefix(text))
  }
}
