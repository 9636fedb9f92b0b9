import Foundation
import Testing

/// Drafting from the command line.
@Suite struct DraftTests {
  private static let plan = Result { try converted([SmallModel.onnx]) }

  private static let readme = URL(filePath: SmallModel.onnx).deletingLastPathComponent()
    .appending(path: "README.md")

  private static func converted(_ model: [String]) throws -> String {
    let path = Scratch.path("tandem.plan")
    let outcome = try Program.run(
      ["convert"] + model + [
        "-o", path, "--tandem", SmallModel.small, "--max-context", "128", "--weights", "f32",
      ])
    guard outcome.status == 0 else { throw SmallModel.Failure(message: outcome.error) }
    return path
  }

  private func json(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Program.run(arguments)
    #expect(outcome.status == 0, "\(outcome.error)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  @Test(arguments: ["ngram", "tandem"])
  func textsAreThoseOfTheModelAlone(_ draft: String) throws {
    let plan = try Self.plan.get()
    for options in [[], ["--temperature", "0.9", "--seed", "4"]] {
      let arguments = ["run", plan, "--prompt", "The SMTP server", "-n", "40", "--json"] + options
      let plain = try json(arguments + ["--draft", "none"])
      #expect(plain["large_passes"] == nil && plain["draft"] == nil)
      for block in ["auto", "1", "5"] {
        let report = try json(arguments + ["--draft", draft, "--block", block, "--stats"])
        #expect(report["generated_ids"] as? [Int] == plain["generated_ids"] as? [Int])
        let (passes, accepted, drafted) = (
          try #require(report["large_passes"] as? Int), try #require(report["accepted"] as? Int),
          try #require(report["drafted"] as? Int)
        )
        #expect(passes + accepted == 39 && accepted <= drafted)
        let details = try #require(report["draft"] as? [String: Any])
        #expect(details["kind"] as? String == draft)
        #expect((details["block_lengths"] as? [Int])?.reduce(0, +) == passes)
        let comparison = try #require(details["comparison"] as? [String: Any])
        #expect(comparison["same_text"] as? Bool == true)
        #expect(
          (comparison["speed_up"] as? Double ?? 0) > 0
            && (comparison["predicted_speed_up"] as? Double ?? 0) > 0)
      }
    }
  }

  @Test func statisticsAndColours() throws {
    let plan = try Self.plan.get()
    let arguments = [
      "run", plan, "--prompt", "The SMTP server", "-n", "30", "--draft", "tandem", "--block", "4",
    ]
    let run = try Program.run(arguments + ["--stats", "--show-accept"])
    #expect(run.error.contains("draft    tandem: ") && run.error.contains("accepted by place, %: "))
    #expect(run.error.contains("times as fast as without drafts ("))
    #expect(run.output.contains("\u{1B}[32m"))
    let plain = try Program.run(["run", plan, "--prompt", "The SMTP server", "-n", "30", "--draft", "none"])
      .output
    let bare = run.output.replacing("\u{1B}[32m", with: "").replacing("\u{1B}[39m", with: "")
    #expect(bare == plain)
  }

  /// What is kept counts, and beside it what the model would have drawn.
  @Test func unverifiedDraftsCountAsKept() throws {
    let arguments = [
      "run", try Self.plan.get(), "--prompt", "The SMTP server", "-n", "41", "--draft", "tandem", "--block",
      "4",
      "--unverified", "--ignore-eos", "--stats",
    ]
    let report = try json(arguments + ["--json"])
    #expect((report["generated_ids"] as? [Int])?.count == 41)
    #expect(report["large_passes"] as? Int == 8)
    #expect(report["drafted"] as? Int == 32 && report["accepted"] as? Int == 32)
    let draft = try #require(report["draft"] as? [String: Any])
    #expect(draft["tokens_per_large_pass"] as? Double == 5 && draft["acceptance"] as? Double == 1)
    #expect(draft["accepted_at"] as? [Double] == [1, 1, 1, 1])
    let right = try #require(draft["right"] as? Int)
    let shares = try #require(draft["right_at"] as? [Double])
    #expect(right > 0 && right < 32 && shares.reduce(0, +) * 8 == Double(right))
    // Five tokens by a run, and what the run and four proposals take.
    let (seconds, comparison) = (
      try #require(draft["seconds"] as? [String: Double]), try #require(draft["comparison"] as? [String: Any])
    )
    let pass = ["small", "large", "refresh", "head"].reduce(0) { $0 + (seconds[$1] ?? 0) } / 8
    let plain = try #require(comparison["plain_tokens_per_second"] as? Double)
    let predicted = try #require(comparison["predicted_speed_up"] as? Double)
    #expect(abs(predicted / (5 / plain / pass) - 1) < 1e-6)
    let text = try Program.run(arguments).error
    #expect(
      text.contains("draft    tandem: 32 of 32 tokens kept unverified in 8 passes, 5.00 tokens per pass\n"))
    #expect(text.contains("  of these \(right) are what the model would have drawn\n"))
    // Verified drafts are told as before.
    let verified = try json(arguments.filter { $0 != "--unverified" } + ["--json"])
    #expect((verified["draft"] as? [String: Any])?["right"] == nil)
  }

  @Test func whatCannotBeMeasuredIsAnError() throws {
    let text = Self.readme.path
    let score = try Program.run(
      ["eval", try Self.plan.get(), "--unverified", "3", "--text", text, "--tokens", "1"])
    #expect(score.status == 1 && score.output.isEmpty)
    #expect(score.error.contains("no token of the text is drafted"))
    let path = Scratch.path("short.plan")
    let short = try Program.run(
      ["convert", SmallModel.onnx, "-o", path, "--tandem", SmallModel.small, "--max-context", "16"])
    #expect(short.status == 1)
    #expect(short.error.contains("the context length is 16, too short to try drafts in"), "\(short.error)")
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func calibrationTextIsNotReplaced() throws {
    let text = Scratch.path("calibration.txt")
    try "words".write(toFile: text, atomically: true, encoding: .utf8)
    let outcome = try Program.run(["convert", SmallModel.onnx, "-o", text, "--calibration", text])
    #expect(outcome.status == 1 && outcome.error.contains("would replace what it is made of"))
    #expect(try String(contentsOfFile: text, encoding: .utf8) == "words")
  }

  /// Perplexity of drafts that nobody verifies, and of the tokens between them, which are the large model's.
  @Test func unverifiedDraftsAreScored() throws {
    let plan = try Self.plan.get()
    let text = Self.readme.path
    let options = ["--text", text, "--tokens", "300", "--window", "100", "--json"]
    let large = try #require(try json(["eval", plan] + options)["perplexity"] as? Double)
    for length in [1, 4] {
      let report = try json(["eval", plan, "--unverified", "\(length)"] + options)
      // Three windows; the first token of every block is the large model's.
      let drafted = 3 * (100 - (100 + length) / (length + 1))
      #expect(report["tokens"] as? Int == 300 && report["drafted_tokens"] as? Int == drafted)
      let (all, small, same) = (
        try #require(report["perplexity"] as? Double), try #require(report["drafted_perplexity"] as? Double),
        try #require(report["large_perplexity"] as? Double)
      )
      #expect((report["mean_kl"] as? [String: Double])?["mean"] ?? 0 > 0.05 && small != same, "\(report)")
      // The tokens of the large model are those of plain scoring.
      let sum = 300 * log(all) - Double(drafted) * log(small) + Double(drafted) * log(same)
      #expect(abs(sum / 300 - log(large)) < 1e-4, "\(sum / 300) \(log(large))")
      let agreement = try #require((report["top1_agreement"] as? [String: Double])?["mean"])
      #expect(agreement > 0.3 && agreement < 1)
    }
    let bare = try Program.run(["eval", try SmallModel.plan.get(), "--text", text, "--unverified", "3"])
    #expect(bare.status == 1 && bare.error.contains("holds no small model"))
    let both = try Program.run(["eval", plan, "--text", text, "--unverified", "3", "--against", plan])
    #expect(both.status == 2 && both.error.contains("--unverified goes without"))
  }

  /// A plan of the stage in which the pair was taken apart.
  private static let resumed = Result {
    let (folder, path) = (Scratch.path("stages"), Scratch.path("resumed.plan"))
    let dump = try Program.run([
      "convert", SmallModel.onnx, "--tandem", SmallModel.small, "--max-context", "128", "--weights", "f32",
      "--dump-stages", folder, "--stop-after", "split-tandem",
    ])
    guard dump.status == 0 else { throw SmallModel.Failure(message: dump.error) }
    let stage = "\(folder)/01-split-tandem.ir"
    let text = try String(contentsOfFile: stage, encoding: .utf8)
    for name in [
      "func @large(", "func @small(", "func @refresh(", "tandem = \"tandem_states.0 after layer 2 of 4 ->",
    ] {
      #expect(text.contains(name), "\(name)")
    }
    let outcome = try Program.run(["convert", stage, "-o", path, "--max-context", "128", "--weights", "f32"])
    guard outcome.status == 0 else { throw SmallModel.Failure(message: outcome.error) }
    #expect(outcome.output.contains("tandem: tandem_states.0 after layer 2") == false)
    return path
  }

  @Test func aDumpedStageIsTakenUpAgain() throws {
    let arguments = [
      "--prompt", "The SMTP server", "-n", "30", "--draft", "tandem", "--block", "3", "--json",
    ]
    let (a, b) = (
      try json(["run", try Self.resumed.get()] + arguments),
      try json(["run", try Self.plan.get()] + arguments)
    )
    #expect(a["accepted"] as? Int == b["accepted"] as? Int && a["text"] as? String == b["text"] as? String)
  }

  /// Drafts that are always right, or never, of a text that the model has written.
  @Test func draftsAreReplayed() throws {
    let plan = try SmallModel.plan.get()
    let arguments = [
      "bench", plan, "--draft-plan", plan, "-n", "25", "--acceptance", "0,1", "--lengths", "1,3",
    ]
    let report = try json(arguments + ["--json"])
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.map { $0["length"] as? Int } == [1, 3, 1, 3])
    #expect(results.map { $0["measured_acceptance"] as? Double } == [0, 0, 1, 1])
    // 24 tokens after the first: one by one, or with all of the draft.
    #expect(results.map { $0["tokens_per_pass"] as? Double } == [1, 1, 2, 4])
    #expect(
      results.allSatisfy { ($0["speed_up"] as? Double ?? 0) > 0 && ($0["predicted"] as? Double ?? 0) > 0 })
    #expect(
      results.allSatisfy { ($0["refresh"] as? Double ?? 0) > 0 && abs($0["rest"] as? Double ?? 1) < 0.9 })
    #expect((report["block_cost"] as? [Double])?.count == 16)
    let long = try Program.run(["bench", plan, "--draft-plan", plan, "-n", "60"])
    #expect(
      long.status == 1 && long.error.contains("a text of 60 tokens to be drafted, and 24 more, do not fit"))
  }

  /// Drafters made of the model itself are tried side by side, and the plan goes by the fastest.
  @Test func derivedDrafters() throws {
    let path = Scratch.path("derived.plan")
    let outcome = try Program.run(
      ["convert", SmallModel.onnx, "-o", path, "--max-context", "64", "--tandem", "derived"]
        + SmallModel.hireHead(Self.readme))
    #expect(outcome.status == 0, "\(outcome.error)")
    for part in [
      "layers: without one of 8 branches ", "; chosen ", "drafters: dense ", "; ngram ", "; layers ",
      "; hire ",
      "; hire + ngram ", "; hire + layers ", "; chosen: ",
    ] { #expect(outcome.output.contains(part), "\(part) in \(outcome.output)") }
    #expect(!outcome.output.contains("ANOTHER text"))
    for options in [[], ["--temperature", "0.9", "--seed", "4"]] {
      let arguments = ["run", path, "--prompt", "The SMTP server", "-n", "40", "--json"] + options
      let dense = try json(arguments + ["--head", "dense", "--draft", "none"])
      #expect(try json(arguments)["generated_ids"] as? [Int] == dense["generated_ids"] as? [Int])
    }
  }

  /// Of a model whose head stays dense, drafters are n-grams and layers.
  @Test func derivedDraftersOfADenseHead() throws {
    let path = Scratch.path("dense.plan")
    let outcome = try Program.run([
      "convert", SmallModel.onnx, "-o", path, "--max-context", "64", "--tandem", "derived", "--head", "dense",
    ])
    #expect(outcome.status == 0, "\(outcome.error)")
    for part in ["layers: without one of 8 branches ", "drafters: dense ", "; ngram ", "; layers "] {
      #expect(outcome.output.contains(part), "\(part) in \(outcome.output)")
    }
    #expect(!outcome.output.contains("hire"))
    let arguments = ["run", path, "--prompt", "The SMTP server", "-n", "40", "--json"]
    let report = try json(arguments)
    #expect(report["head"] as? String == "dense")
    #expect(
      try json(arguments + ["--draft", "none"])["generated_ids"] as? [Int] == report["generated_ids"]
        as? [Int])
  }

  /// The small model drafts for candidates of a HiRE head, too, and the dense head verifies all.
  @Test func theSmallModelDraftsForAHireHead() throws {
    let path = Scratch.path("hire-pair.plan")
    let outcome = try Program.run(
      [
        "convert", SmallModel.onnx, "-o", path, "--tandem", SmallModel.small, "--max-context", "128",
        "--head",
        "hire", "--exact", "deferred",
      ] + SmallModel.hireHead(Self.readme))
    #expect(outcome.status == 0, "\(outcome.error)")
    for options in [[], ["--temperature", "0.9", "--seed", "4"]] {
      let arguments = ["run", path, "--prompt", "The SMTP server", "-n", "40", "--json"] + options
      let dense = try json(arguments + ["--head", "dense", "--draft", "none"])
      for block in ["auto", "3"] {
        let report = try json(arguments + ["--draft", "tandem", "--block", block])
        #expect(report["head"] as? String == "hire" && report["exact"] as? String == "deferred")
        #expect(report["generated_ids"] as? [Int] == dense["generated_ids"] as? [Int], "\(block) \(options)")
        let (drafted, accepted) = (report["drafted"] as? Int ?? 0, report["accepted"] as? Int ?? 0)
        #expect(block == "auto" || drafted > accepted && accepted > 0, "\(drafted) \(accepted)")
      }
    }
  }

  /// Both graphs that a plan is made of are known by their hashes, through stages too.
  @Test func provenanceNamesBothGraphs() throws {
    func provenance(_ plan: String) throws -> [String: String] {
      try #require(try json(["inspect", plan, "--as", "json"])["provenance"] as? [String: String])
    }
    let pair = try provenance(try Self.plan.get())
    let alone = Scratch.path("alone.plan")
    #expect(try Program.run(["convert", SmallModel.small, "-o", alone]).status == 0)
    let hash = try #require(try provenance(alone)["source-sha256"])
    #expect(hash.count == 64 && pair["tandem-sha256"] == hash && pair["source-sha256"] != hash)
    #expect(try Program.run(["inspect", try Self.plan.get()]).output.contains(hash))
    #expect(try provenance(try Self.resumed.get())["tandem-sha256"] == hash)
  }

  /// A plan of the whole context, and what its conversion says.
  private static let wide = Result {
    let path = Scratch.path("trial.plan")
    return (
      path,
      try Program.run([
        "convert", SmallModel.onnx, "-o", path, "--tandem", SmallModel.small, "--weights", "f32",
      ])
    )
  }

  /// Whether drafting pays depends on the machine; runs go by what the conversion says with its figures.
  @Test func whatDoesNotPayIsLeftOut() throws {
    let (path, outcome) = try Self.wide.get()
    let text = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    for part in [
      "right up to place 1, 2, ...: 0.", "T(2, 4, 8, 16)/T(1) ", "a proposal ", " times as fast at ",
    ] {
      #expect(text.contains(part), "\(part) in \(outcome.output)")
    }
    let run = try Program.run(["run", path, "--prompt", "The SMTP server", "-n", "4", "--stats"])
    #expect(
      run.status == 0 && run.error.contains("draft    tandem: ") != text.contains("tandem does not pay here"))
  }

  @Test func refusals() throws {
    let bare = try SmallModel.plan.get()
    let tandem = try Program.run(["run", bare, "--prompt", "a", "--draft", "tandem"])
    #expect(
      tandem.status == 1
        && tandem.error.contains(
          "holds no small model, which --draft tandem needs; convert again with --tandem")
    )
    let block = try Program.run(["run", bare, "--prompt", "a", "--block", "3"])
    #expect(block.status == 2 && block.error.contains("nothing drafts for"))
    let none = try Program.run(["run", bare, "--prompt", "a", "--draft", "none", "--block", "3"])
    #expect(none.status == 2 && none.error.contains("are for drafts, and --draft is 'none'"))
    let plan = Scratch.path("none.plan")
    let pair = try Program.run(["convert", SmallModel.small, "-o", plan, "--tandem", SmallModel.onnx])
    #expect(pair.status == 1, "\(pair.error)")
    #expect(
      pair.error.contains("does not go with") && pair.error.contains("the small model reads no hidden states")
    )
    #expect(!FileManager.default.fileExists(atPath: plan))
  }
}
