import Foundation
import Testing

@Suite struct EvalTests {
  private func report(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Program.run(["eval"] + arguments + ["--json"])
    #expect(outcome.status == 0, "\(outcome.error)")
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(object as? [String: Any])
  }

  /// English that the small model was trained for, and the same words in an order that it was not.
  private static let text =
    "The mail server reads its configuration file when it starts. If the file is missing, the server stops."
  private static let shuffled =
    "file the missing stops server mail is If. reads its The when starts it the configuration. file server"

  @Test func perplexityTellsTextFromNoise() throws {
    let plan = try SmallModel.plan.get()
    let text = try report([plan, "--text", Scratch.file("text.txt", Data(Self.text.utf8))])
    let noise = try report([plan, "--text", Scratch.file("noise.txt", Data(Self.shuffled.utf8))])
    let (low, high) = (
      try #require(text["perplexity"] as? Double), try #require(noise["perplexity"] as? Double)
    )
    #expect(low > 1 && 2 * low < high, "\(low) and \(high)")
    #expect((text["perplexity_standard_error"] as? Double ?? 0) > 0)
  }

  /// Windows are scored one by one: what fits one window has the mean loss of its halves' windows otherwise.
  @Test func windowsCutTheContext() throws {
    let plan = try SmallModel.plan.get()
    let file = Scratch.file("text.txt", Data(Self.text.utf8))
    let whole = try report([plan, "--text", file])
    let cut = try report([plan, "--text", file, "--window", "4"])
    #expect(whole["tokens"] as? Int == cut["tokens"] as? Int)
    #expect(try #require(cut["perplexity"] as? Double) > #require(whole["perplexity"] as? Double))
    #expect(try report([plan, "--text", file, "--tokens", "7"])["tokens"] as? Int == 7)
  }

  @Test func aPlanAgreesWithItself() throws {
    let plan = try SmallModel.plan.get()
    let file = Scratch.file("text.txt", Data(Self.text.utf8))
    let report = try report([plan, "--text", file, "--against", plan])
    #expect((report["mean_kl"] as? [String: Double])?["mean"] == 0)
    #expect((report["top1_agreement"] as? [String: Double])?["mean"] == 1)
  }

  @Test func badInput() throws {
    let plan = try SmallModel.plan.get()
    let long = Scratch.file("long.txt", Data(String(repeating: Self.text, count: 4).utf8))
    let cases: [([String], Int32, String)] = [
      ([plan, "--text", "/nonexistent"], 1, "cannot open"),
      ([plan, "--text", plan], 1, "is no UTF-8 text"),
      ([plan, "--text", Scratch.file("nothing.txt", Data())], 1, "no token to score"),
      ([plan, "--text", long, "--window", "64"], 1, "context of 64"),
      ([plan, "--text", "x", "--tokens", "0"], 2, "accepted are 1 and more"),
      ([try SmallModel.planWithoutTokenizer.get(), "--text", long], 1, "tokenizer"),
    ]
    for (arguments, status, message) in cases {
      let outcome = try Program.run(["eval"] + arguments)
      #expect(outcome.status == status && outcome.output.isEmpty, "\(arguments)")
      #expect(outcome.error.contains(message), "\(outcome.error)")
    }
  }
}
