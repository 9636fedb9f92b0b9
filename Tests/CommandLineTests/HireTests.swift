import Foundation
import Testing

/// A HiRE head from conversion to text.
@Suite struct HireTests {
  /// A context that is shorter than the sequences that a model is calibrated with otherwise.
  private static let context = "128"
  private static let plan = Result { try converted("hire.plan", ["--exact", "certified"]) }
  private static let planWithoutBounds = Result { try converted("unbounded.plan", []).path }

  /// Calibrated with a text of this repository and asked for little, so that it takes seconds.
  private static func converted(
    _ name: String, _ options: [String]
  ) throws -> (path: String, output: String) {
    let (path, text) = (Scratch.path(name), Scratch.path("calibration.txt"))
    let readme = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "README.md")
    try Data(try Data(contentsOf: readme).prefix(6_000)).write(to: URL(filePath: text))
    let outcome = try Program.run(
      [
        "convert", SmallModel.onnx, "-o", path, "--max-context", context, "--head", "hire", "--recall", "0.9",
        "--head-k", "4", "--calibration", text, "--json",
      ] + options)
    guard outcome.status == 0 else { throw SmallModel.Failure(message: outcome.error) }
    return (path, outcome.output)
  }

  private func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test func exactModesWriteWhatTheDenseHeadWrites() throws {
    let (plan, _) = try Self.plan.get()
    for options in [
      [], ["--temperature", "1", "--top-k", "4", "--seed", "3"], ["--temperature", "0.7", "--seed", "5"],
    ] {
      let arguments = ["run", plan, "--prompt", "The SMTP server", "-n", "24", "--json"] + options
      let dense = try json(try Program.run(arguments + ["--head", "dense"]).output)
      #expect(dense["survivors"] == nil)
      for exact in ["deferred", "certified"] {
        let report = try json(try Program.run(arguments + ["--exact", exact]).output)
        #expect(report["exact"] as? String == exact)
        #expect(report["generated_ids"] as? [Int] == dense["generated_ids"] as? [Int], "\(exact) \(options)")
        let classes = report["survivors"] as? [[String: Any]]
        // Bounds told of every token after the first; of the k-th largest logit alone only where it is certified.
        let told = exact == "certified" || !options.contains("--top-k") ? 23 : nil
        #expect(classes?.compactMap { $0["draws"] as? Int }.reduce(0, +) == told, "\(exact) \(options)")
      }
    }
  }

  /// The plan goes by what it was converted for, and the summary says what that costs.
  @Test func certifiedIsWhatThePlanSays() throws {
    let (plan, summary) = try Self.plan.get()
    let card = try #require(try json(summary)["card"] as? [String: Any])
    #expect((card["head"] as? [String: Any])?["bounds"] is String)
    // The model has 8 bits: its own high nibbles bound its logits.
    let notes = try #require(card["notes"] as? [String])
    #expect(
      notes.contains { $0.hasPrefix("HiRE bounds: the high nibbles of the head in q8n32, ") }, "\(notes)")
    let run = try Program.run(["run", plan, "--prompt", "The SMTP server", "-n", "4", "--stats"])
    #expect(
      run.status == 0
        && run.error.contains("head     hire, exact certified: tokens by rows that bounds left ["))
    func bench(_ options: String...) throws -> [String: Any] {
      let arguments = ["bench", plan, "-p", "0", "-n", "4", "-r", "1", "--blocks", "0", "--json"]
      return try json(try Program.run(arguments + options).output)
    }
    func bytesPerToken(_ report: [String: Any]) -> Double? {
      (report["results"] as? [[String: Any]])?.first?["bytes_per_token"] as? Double
    }
    let report = try bench()
    let head = try #require(report["head"] as? [String: Any])
    #expect(head["exact"] as? String == "certified" && head["survivors"] is [Any])
    // Each head is told what it reads itself.
    let bytes = (
      try #require(bytesPerToken(report)), try #require(bytesPerToken(try bench("--head", "dense")))
    )
    #expect(bytes.0 < bytes.1)
  }

  @Test func plansWithoutBoundsProveNothing() throws {
    let plan = try Self.planWithoutBounds.get()
    let refused = try Program.run(["run", plan, "--prompt", "a", "-n", "2", "--exact", "certified"])
    #expect(refused.status == 1 && refused.output.isEmpty)
    #expect(
      refused.error
        == "tandem: error: '\(plan)' holds no bounds, which --exact certified needs; convert again with"
        + " --head hire --exact certified\n")
    #expect(try Program.run(["run", plan, "--prompt", "a", "-n", "2"]).status == 0)
  }
}
