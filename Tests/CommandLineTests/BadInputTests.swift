import Foundation
import Testing

/// Bad input: one line that names the file, the right exit code, nothing on standard output, no crash.
@Suite struct BadInputTests {
  private func expect(
    _ arguments: [String], input: String = "", status: Int32 = 1, _ message: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try Program.run(arguments, input: input)
    #expect(outcome.status == status, sourceLocation: sourceLocation)
    #expect(outcome.output.isEmpty, sourceLocation: sourceLocation)
    #expect(outcome.error == "tandem: error: \(message)\n", sourceLocation: sourceLocation)
  }

  @Test func missingFiles() throws {
    let plan = try SmallModel.plan.get()
    try expect(
      ["run", "/none.plan", "--prompt", "a"], "'/none.plan': cannot open: no such file or directory")
    try expect(["inspect", "/none.plan"], "'/none.plan': cannot open: no such file or directory")
    try expect(
      ["run", plan, "--prompt-file", "/none.txt"],
      "'/none.txt': cannot be read; accepted is a text file in UTF-8")
    try expect(
      ["run", plan, "--input", "input_ids=/none.npy", "--output", Scratch.path("out")],
      "'/none.npy': cannot open: no such file or directory")
    let target = Scratch.path("none.plan")
    let outcome = try Program.run(["convert", "/none.onnx", "-o", target])
    #expect(outcome.status == 1)
    #expect(outcome.error.hasPrefix("tandem: error: '/none.onnx': "))
    #expect(!FileManager.default.fileExists(atPath: target))
  }

  @Test func textAsPlan() throws {
    let file = Scratch.file("text.plan", Data("this is text, and longer than a header of sixteen bytes".utf8))
    try expect(
      ["run", file, "--prompt", "a"],
      "'\(file)': not a plan file (bad magic); accepted are files that 'tandem convert' wrote")
  }

  @Test func truncatedPlan() throws {
    let plan = try Data(contentsOf: URL(filePath: SmallModel.plan.get()))
    for length in [
      0, 1, 7, 8, 15, 16, 60, 200, 4095, 4096, 5000, plan.count / 2, plan.count - 100, plan.count - 1,
    ] {
      let file = Scratch.file("cut.plan", plan.prefix(length))
      let outcome = try Program.run(["run", file, "--prompt", "a", "-n", "1"])
      #expect(outcome.status == 1, "cut to \(length) bytes")
      #expect(outcome.output.isEmpty)
      #expect(
        outcome.error.hasPrefix("tandem: error: '\(file)': "), "cut to \(length) bytes: \(outcome.error)")
      try FileManager.default.removeItem(atPath: file)
    }
  }

  @Test func changedPlanFailsVerification() throws {
    var plan = try Data(contentsOf: URL(filePath: SmallModel.plan.get()))
    plan[10_000] ^= 1
    let file = Scratch.file("changed.plan", plan)
    try expect(
      ["inspect", file, "--verify"], "'\(file)': checksum of section 'weights' differs from the recorded one")
  }

  @Test func missingTokenizer() throws {
    let plan = try SmallModel.planWithoutTokenizer.get()
    try expect(
      ["run", plan, "--prompt", "a"],
      "'\(plan)' holds no tokenizer, which a prompt needs; convert again with --tokenizer tokenizer.json")
  }

  @Test func missingHireHead() throws {
    let plan = try SmallModel.plan.get()
    let text = Scratch.file("text.txt", Data("some words".utf8))
    func message(_ option: String) -> String {
      "'\(plan)' has no HiRE head, which \(option) needs; convert again with --head hire"
    }
    try expect(["run", plan, "--prompt", "a", "--head", "hire"], message("--head hire"))
    try expect(["run", plan, "--prompt", "a", "--exact", "none"], message("--exact"))
    try expect(["eval", plan, "--text", text, "--head", "hire"], message("--head hire"))
    try expect(["bench", plan, "--head", "hire"], message("--head hire"))
  }

  @Test func prompts() throws {
    let plan = try SmallModel.plan.get()
    let long = String(repeating: "word ", count: 100)
    let outcome = try Program.run(["run", plan, "--prompt-file", "-"], input: long)
    #expect(outcome.status == 1)
    #expect(outcome.output.isEmpty)
    #expect(
      outcome.error.hasSuffix("tokens, accepted are at most 63 in a context of 64\n"), "\(outcome.error)")
    try expect(
      ["run", plan, "--prompt", "", "--no-bos"],
      "'\(plan)': the prompt has no tokens, accepted is at least one")
    let binary = Scratch.file("binary.txt", Data([0x61, 0xFF, 0xFE]))
    try expect(["run", plan, "--prompt-file", binary], "'\(binary)': it is not text in UTF-8")
  }

  @Test func bannedTokens() throws {
    let plan = try SmallModel.plan.get()
    for token in [-1, 16_384] {
      try expect(
        ["run", plan, "--prompt", "a", "--ban-token", "5", "--ban-token", "\(token)"],
        "the banned token \(token) is out of range, accepted are 0...16383")
    }
  }

  @Test func draftsThatCannotBeVerified() throws {
    let plan = Scratch.path("single.plan")
    let arguments = ["convert", SmallModel.onnx, "-o", plan, "--max-context", "64", "--weights", "f32"]
    #expect(try Program.run(arguments + ["--disable", "specialize-phases"]).status == 0)
    try expect(
      ["bench", plan, "--draft-plan", plan, "-n", "4"], status: 5,
      "'\(plan)' has no function 'block', which --draft-plan needs to verify drafts; accepted are plans of"
        + " decoders with caches kept in place")
  }

  /// A plan whose logits are as many as the largest token says.
  @Test func unknownVocabularies() throws {
    let stage = Scratch.file(
      "open.ir",
      Data(
        """
        const @zero: i64[] = 0
        const @one: i64[] = 1
        const @axis: i64[1] = [2]
        func @main(%input_ids: i64[1, S]) -> (logits: f32[1, S, N]) {
          %m = reduce_max(%input_ids) {keepdims = 0} : i64[]
          %r = range(@zero, %m, @one) : i64[N]
          %f = cast(%r) {to = f32} : f32[N]
          %x = cast(%input_ids) {to = f32} : f32[1, S]
          %u = unsqueeze(%x, @axis) : f32[1, S, 1]
          %y = mul(%u, %f) : f32[1, S, N]
          return logits = %y
        }

        """.utf8))
    let (plan, open) = (try SmallModel.plan.get(), Scratch.path("open.plan"))
    #expect(try Program.run(["convert", stage, "-o", open]).status == 0)
    try expect(
      ["bench", plan, "--draft-plan", open, "-n", "4"], status: 5,
      "'\(open)' does not say how many tokens its vocabulary has; accepted are plans whose logits have a last"
        + " dimension of known size")
  }

  @Test func tensors() throws {
    let plan = try SmallModel.plan.get()
    let ids = Scratch.integers([0, 1, 2], "(1, 3)")
    let folder = Scratch.path("out")
    func run(_ input: String, _ message: String) throws {
      try expect(["run", plan, "--input", input, "--output", folder], message)
      #expect(!FileManager.default.fileExists(atPath: folder))
    }
    try run(
      "input_ids=\(Scratch.integers([0, 1, 2], "(3,)"))",
      "input 'input_ids': found i64[3], accepted is i64[batch, sequence]")
    try run("attention_mask=\(ids)", "input 'input_ids' has no tensor, accepted is i64[batch, sequence]")
    let text = Scratch.file("text.npy", Data("text".utf8))
    try run("input_ids=\(text)", "'\(text)': cannot read array: it is no .npy file")
  }

  @Test func conversions() throws {
    let target = Scratch.path("none.plan")
    let text = Scratch.file("text.onnx", Data("this is text".utf8))
    let cut = Scratch.file("cut.onnx", try Data(contentsOf: URL(filePath: SmallModel.onnx)).prefix(1_000_000))
    let stage = Scratch.file("stage.ir", Data("func @main( {".utf8))
    for model in [text, cut, stage] {
      let outcome = try Program.run(["convert", model, "-o", target])
      #expect(outcome.status == 1)
      #expect(outcome.output.isEmpty)
      #expect(outcome.error.hasPrefix("tandem: error: ") && outcome.error.contains(model), "\(outcome.error)")
      #expect(outcome.error.filter { $0 == "\n" }.count == 1, "\(outcome.error)")
      #expect(!FileManager.default.fileExists(atPath: target))
    }
    let plan = try SmallModel.plan.get()
    try expect(
      ["convert", plan, "-o", target],
      "'\(plan)' is a plan already; accepted are MODEL.onnx, and stages (.ir) that --dump-stages wrote")
    try expect(
      ["convert", SmallModel.onnx, "-o", "/none/a.plan"],
      "'/none/a.plan': cannot create: no such file or directory")
  }
}
