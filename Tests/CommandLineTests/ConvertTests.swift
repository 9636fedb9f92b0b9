import Foundation
import TestSupport
import Testing

/// What `tandem convert` says, and how passes are taken apart with it.
@Suite struct ConvertTests {
  private static let fixture = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .appending(path: "Fixtures/zoo/qwen3/optimum.onnx").path

  /// A module on which constant folding fails: there is no element 7.
  private static let failing = """
    const @c: f32[2] = [1.0, 2.0]
    const @i: i64[1] = [7]
    func @main(%x: f32[1]) -> (y: f32[1]) {
      %g = gather(@c, @i) {axis = 0} : f32[1] loc("layer/gather")
      %y = add(%x, %g) : f32[1]
      return %y
    }

    """

  @Test func cardOfAnExport() throws {
    let outcome = try Program.run(["convert", Self.fixture, "-o", Scratch.path("card.plan")])
    #expect(outcome.status == 0, "\(outcome.error)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count <= 25)
    // The path differs with every run, the speed of memory with every machine.
    let text = lines.dropFirst().joined(separator: "\n") + "\n"
    let speed = #/up to [0-9.]+ tokens/s at [0-9.]+ GB/s|fits in the cache of [0-9.]+ .B/#
    #expect(text.firstMatch(of: speed) != nil)
    try Golden.expect(text.replacing(speed, with: "(this machine)"), named: "card.txt")
  }

  @Test func cardForPrograms() throws {
    let outcome = try Program.run(["convert", Self.fixture, "-o", Scratch.path("card.plan"), "--json"])
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    var card = try #require(report["card"] as? [String: Any])
    for key in ["bandwidth", "threads"] {
      #expect((card.removeValue(forKey: key) as? Double ?? 0) > 0, "\(key)")
    }
    // Of a model that fits in the cache, if this machine's is known.
    let cache = try #require(card.removeValue(forKey: "cache_byte_count") as? Int)
    #expect((card.removeValue(forKey: "tokens_per_second") == nil) == (cache > 1 << 20))
    let text = try JSONSerialization.data(withJSONObject: card, options: [.prettyPrinted, .sortedKeys])
    try Golden.expect(String(decoding: text, as: UTF8.self) + "\n", named: "card.json")
    // Help names every field.
    let help = try Program.run(["help", "convert"]).output
    for key in card.keys { #expect(help.contains(key), "\(key)") }
  }

  @Test func whyNot() throws {
    let stage = Scratch.file(
      "missing.ir",
      Data(
        """
        const @w: f64[2, 2] = [1.0, 2.0, 3.0, 4.0]
        func @main(%x: f64[S, 2]) -> (y: f64[S, 2]) {
          %y = matmul(%x, @w) : f64[S, 2] loc("proj")
          return %y
        }

        """.utf8))
    let missed = "form-linear: node 'proj' (matmul): the constant is f64[2, 2], need f32 of rank 2\n"
    #expect(try Program.run(["inspect", stage, "--why-not", "form-linear"]).output == missed)
    #expect(try Program.run(["convert", stage, "--why-not", "all"]).output.contains(missed))
    #expect(
      try Program.run(["inspect", stage, "--why-not", "fold-constants"]).output == "nothing was missed\n")
    #expect(
      try Program.run(["convert", stage, "--why-not", "canonicalize.2"]).output == "nothing was missed\n")
    let plan = try SmallModel.plan.get()
    #expect(try Program.run(["inspect", plan, "--why-not", "all"]).status == 2)
  }

  @Test(arguments: [
    (["--disable", "fold-constants,form-linear"], "--disable leaves it out"),
    (["--passes", "fold-constants"], "--passes does not name it"),
    (["--allow", "exact"], "its class is 'rounding', which --allow exact leaves out"),
    (["--stop-after", "fold-constants"], "--stop-after fold-constants ends before it"),
  ])
  func whyNotOfAPassThatDidNotRun(_ arguments: [String], _ reason: String) throws {
    let stage = Scratch.file(
      "unread.ir", Data("func @main(%x: f32[1]) -> (y: f32[1]) {\n  return y = %x\n}\n".utf8))
    let outcome = try Program.run(["convert", stage, "--why-not", "form-linear"] + arguments)
    #expect(outcome.output == "'form-linear' did not run: \(reason)\n", "\(outcome.error)")
  }

  @Test(arguments: [("narrow-caches", "--kv-cache f16"), ("hire-softmax", "--head hire")])
  func passesThatOptionsAskFor(_ pass: String, _ option: String) throws {
    let stage = Scratch.file(
      "plain.ir", Data("func @main(%x: f32[1]) -> (y: f32[1]) {\n  return y = %x\n}\n".utf8))
    let outcome = try Program.run(["convert", stage, "--why-not", pass])
    #expect(outcome.output == "'\(pass)' did not run: \(option) asks for it\n", "\(outcome.error)")
  }

  @Test func aPassThatFailsLeavesAReproducer() throws {
    let stage = Scratch.file("failing.ir", Data(Self.failing.utf8))
    let plan = Scratch.path("failing.plan")
    let outcome = try Program.run(["convert", stage, "-o", plan])
    #expect(outcome.status == 1)
    let reproducer = plan + ".reproducer.ir"
    #expect(outcome.error.contains("; '\(reproducer)' takes it up again"), "\(outcome.error)")
    #expect(!FileManager.default.fileExists(atPath: plan))

    let lines = try String(contentsOfFile: reproducer, encoding: .utf8).split(separator: "\n")
    #expect(lines[0].hasPrefix("// pass 'fold-constants' fails on this module: "))
    let command = "tandem convert '\(reproducer)' --passes fold-constants --stop-after fold-constants"
    #expect(lines[1] == "// \(command)")
    let arguments = command.split(separator: " ").dropFirst().map { String($0).replacing("'", with: "") }
    let again = try Program.run(arguments)
    #expect(again.status == 1 && again.error.contains("pass 'fold-constants'"))
    #expect(!again.error.contains("takes it up again"))
  }

  @Test func passesAreNamedOnceAndByNumber() throws {
    let stage = Scratch.file(
      "twice.ir", Data("func @main(%x: f32[1]) -> (y: f32[1]) {\n  return y = %x\n}\n".utf8))
    func run(_ arguments: String...) throws -> Program.Outcome {
      try Program.run(["convert", stage] + arguments)
    }
    let twice = "eliminate-dead-code,eliminate-dead-code"
    let last = try run("--passes", twice, "--stop-after", "eliminate-dead-code.2", "--stats")
    #expect(last.status == 0 && last.error.contains("eliminate-dead-code.2"), "\(last.error)")
    let first = try run("--passes", twice, "--stop-after", "eliminate-dead-code", "--stats")
    #expect(!first.error.contains("eliminate-dead-code.2"))
    #expect(
      try run("--stop-after", "import", "--disable", "form-linear", "--disable", "form-linear").status == 0)
    let unknown = try run("--passes", "form-linear,x", "--stop-after", "import")
    #expect(unknown.status == 2 && unknown.error.contains("there is no pass 'x', accepted are "))
  }

  @Test func printAfterChangedShowsWhatChanged() throws {
    let stage = Scratch.file(
      "dead.ir",
      Data("func @main(%x: f32[1]) -> (y: f32[1]) {\n  %d = exp(%x) : f32[1]\n  return y = %x\n}\n".utf8))
    let output = try Program.run(["convert", stage, "--print-after", "changed"]).output
    #expect(output.components(separatedBy: "// after ").count == 2)
    #expect(output.hasPrefix("// after canonicalize\n"))
  }

  @Test func aStageFindsTheTokenizerOfItsModel() throws {
    let folder = Scratch.path("stages")
    _ = try Program.run(["convert", SmallModel.onnx, "--dump-stages", folder, "--stop-after", "import"])
    let plan = Scratch.path("again.plan")
    let arguments = [
      "convert", "\(folder)/00-import.ir", "-o", plan, "--max-context", "64", "--weights", "f32",
    ]
    #expect(try Program.run(arguments).status == 0)
    #expect(
      try Program.run(["run", plan, "--prompt", "The SMTP server", "-n", "3"]).output == " is a simple\n")
    #expect(!(try Program.run(["inspect", plan]).output.contains("tokenizer.json")))
  }

  @Test func phasesKeepTheContextTheyWereMadeFor() throws {
    let folder = Scratch.path("phases")
    _ = try Program.run(["convert", SmallModel.onnx, "--dump-stages", folder, "--max-context", "64"])
    let last = try #require(
      FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasSuffix("-specialize-phases.ir") })
    let (stage, plan) = ("\(folder)/\(last)", Scratch.path("phases.plan"))
    let other = try Program.run(["convert", stage, "-o", plan, "--max-context", "128"])
    #expect(other.status == 1)
    #expect(
      other.error
        == "tandem: error: '\(stage)': its functions are made for a context of 64, --max-context is "
        + "128; accepted are 64, and stages before 'specialize-phases'\n")
    #expect(try Program.run(["convert", stage, "-o", plan, "--max-context", "64"]).status == 0)
  }

  @Test func aContextLongerThanThePositionsOfTheModel() throws {
    let plan = Scratch.path("long.plan")
    let outcome = try Program.run(["convert", Self.fixture, "-o", plan, "--max-context", "64"])
    #expect(!outcome.error.contains("--max-context"))
    let folder = Scratch.path("short")
    _ = try Program.run(["convert", Self.fixture, "--dump-stages", folder, "--max-context", "64"])
    let stage = try #require(
      FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasSuffix("-fuse-residual.ir") })
    let longer = try Program.run(["convert", "\(folder)/\(stage)", "-o", plan, "--max-context", "128"])
    #expect(longer.error.contains("the model has positions for 64 tokens, fewer than --max-context 128\n"))
  }
}
