import Foundation
import Testing

@Suite struct CommandTests {
  private func json(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Program.run(arguments)
    #expect(outcome.status == 0, "\(outcome.error)")
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(object as? [String: Any])
  }

  @Test func textAndJSONAgree() throws {
    let plan = try SmallModel.plan.get()
    let text = try Program.run(["run", plan, "--prompt", "The SMTP server", "-n", "9", "--stats"])
    #expect(text.status == 0)
    #expect(text.output == " is a simple way to create a new SMTP\n")
    #expect(text.error.contains("ended by max tokens"))
    let report = try json(["run", plan, "--prompt", "The SMTP server", "-n", "9", "--json"])
    #expect(report["text"] as? String == " is a simple way to create a new SMTP")
    #expect((report["generated_ids"] as? [Int])?.count == 9)
    #expect((report["prompt_ids"] as? [Int])?.first == 0)
    #expect(report["head"] as? String == "dense" && report["verified_passes"] == nil)
    for key in ["load_ms", "prefill_tokens_per_second", "decode_tokens_per_second", "peak_rss_bytes"] {
      #expect((report[key] as? Double ?? 0) > 0, "\(key)")
    }
  }

  @Test func stopStringEndsText() throws {
    let plan = try SmallModel.plan.get()
    let report = try json(["run", plan, "--prompt", "The SMTP server", "--stop", "new SM", "--json"])
    #expect(report["text"] as? String == " is a simple way to create a ")
    #expect(report["ending"] as? String == "stop_string")
  }

  @Test func stopStringInsideTheStartOfAnother() throws {
    let plan = try SmallModel.plan.get()
    let arguments = ["run", plan, "--prompt", "The SMTP server", "-n", "9"]
    let outcome = try Program.run(arguments + ["--stop", " a simple way, and", "--stop", "simple"])
    #expect(outcome.output == " is a \n")
  }

  @Test func hugeTokenLimit() throws {
    let plan = try SmallModel.plan.get()
    let arguments = ["run", plan, "--prompt", "The SMTP server", "--stop", "way", "-n", "\(Int.max)"]
    #expect(try Program.run(arguments).output == " is a simple \n")
  }

  @Test func lineEndOfPromptIsNoPartOfIt() throws {
    let plan = try SmallModel.plan.get()
    for end in ["", "\n", "\r\n"] {
      let file = Scratch.file("prompt.txt", Data("The SMTP server\(end)".utf8))
      let outcome = try Program.run(["run", plan, "--prompt-file", file, "-n", "3"])
      #expect(outcome.output == " is a simple\n", "\(end.utf8.count) bytes")
    }
  }

  @Test func contextEndsText() throws {
    let plan = try SmallModel.plan.get()
    let report = try json(["run", plan, "--prompt", "The SMTP server", "-n", "500", "--ignore-eos", "--json"])
    let prompt = try #require(report["prompt_ids"] as? [Int]).count
    // The last token drawn is not fed any more.
    #expect((report["generated_ids"] as? [Int])?.count == 64 - prompt + 1)
    #expect(report["ending"] as? String == "context_full")
  }

  @Test func bannedTokensDoNotAppear() throws {
    let plan = try SmallModel.plan.get()
    let arguments = ["run", plan, "--prompt", "The SMTP server", "-n", "6", "--json"]
    let tokens = try #require(json(arguments)["generated_ids"] as? [Int])
    let others = try #require(json(arguments + ["--ban-token", "\(tokens[2])"])["generated_ids"] as? [Int])
    #expect(others.prefix(2) == tokens.prefix(2) && !others.contains(tokens[2]))
  }

  @Test func seedAndThreads() throws {
    let plan = try SmallModel.plan.get()
    func text(_ more: String...) throws -> String {
      try Program.run(["run", plan, "--prompt", "-The", "-n", "12", "--temperature", "1"] + more).output
    }
    #expect(try text("--seed", "1", "--threads", "1") == text("--seed", "1", "--threads", "2"))
    #expect(try text("--seed", "1") != text("--seed", "2"))
  }

  @Test func tensorsInAndOut() throws {
    let plan = try SmallModel.plan.get()
    let ids = Scratch.integers([0, 464, 300, 12], "(1, 4)")
    let (last, all) = (Scratch.path("last"), Scratch.path("all"))
    let report = try json(["run", plan, "--input", "input_ids=\(ids)", "--output", last, "--json"])
    let outputs = try #require(report["outputs"] as? [[String: Any]])
    #expect(outputs.first?["name"] as? String == "logits")
    #expect(outputs.first?["shape"] as? [Int] == [1, 1, 16384])
    #expect(
      try Program.run(["run", plan, "--input", "input_ids=\(ids)", "--output", all, "--all-positions"]).status
        == 0)
    // The last row of all positions is the last position.
    let rows = try Data(contentsOf: URL(filePath: all + "/logits.npy")).suffix(16384 * 4)
    #expect(try Data(contentsOf: URL(filePath: last + "/logits.npy")).suffix(16384 * 4) == rows)
    // Caches that come out go in again.
    var arguments = ["run", plan, "--input", "input_ids=\(Scratch.integers([5], "(1, 1)"))"]
    for layer in 0..<4 {
      for part in ["key", "value"] {
        arguments += ["--input", "past_key_values.\(layer).\(part)=\(all)/present.\(layer).\(part).npy"]
      }
    }
    let next = Scratch.path("next")
    #expect(try Program.run(arguments + ["--output", next]).status == 0)
    let whole = Scratch.path("whole")
    let five = Scratch.integers([0, 464, 300, 12, 5], "(1, 5)")
    #expect(try Program.run(["run", plan, "--input", "input_ids=\(five)", "--output", whole]).status == 0)
    let stepped = try floats(next + "/logits.npy")
    let direct = try floats(whole + "/logits.npy")
    #expect(zip(stepped, direct).allSatisfy { abs($0 - $1) < 1e-3 })
    #expect(try FileManager.default.contentsOfDirectory(atPath: next).allSatisfy { $0.hasSuffix(".npy") })
  }

  /// A plan with narrow caches says so, writes as much text, and takes caches as it gives them.
  @Test func cachesInF16() throws {
    let (plan, wide) = (try SmallModel.planOfNarrowCaches.get(), try SmallModel.plan.get())
    let prompt = ["--prompt", "The SMTP server", "-n", "12"]
    #expect(try Program.run(["run", plan] + prompt).output == Program.run(["run", wide] + prompt).output)
    let report = try Program.run(["inspect", plan]).output
    #expect(report.contains("f16[batch, ") && report.contains("narrow-caches"), "\(report)")
    #expect(!(try Program.run(["inspect", wide]).output.contains("f16[")))
    func workingByteCount(_ plan: String) throws -> Int {
      let report = try json([
        "bench", plan, "-p", "0", "-n", "1", "-d", "16", "-r", "1", "--blocks", "16", "--json",
      ])
      return try #require(report["working_bytes"] as? Int)
    }
    // Keys and values of 32 positions, of 4 layers with 2 heads of 64 numbers: each takes 2 bytes less.
    #expect(try workingByteCount(wide) - workingByteCount(plan) == 2 * 32 * 4 * 2 * 64 * 2)

    let ids = Scratch.integers([0, 464, 300, 12], "(1, 4)")
    let (first, next, other) = (Scratch.path("narrow"), Scratch.path("narrow-next"), Scratch.path("wide"))
    #expect(try Program.run(["run", plan, "--input", "input_ids=\(ids)", "--output", first]).status == 0)
    #expect(try Program.run(["run", wide, "--input", "input_ids=\(ids)", "--output", other]).status == 0)
    func continued(_ folder: String) throws -> Program.Outcome {
      var arguments = ["run", plan, "--output", next]
      arguments += ["--input", "input_ids=\(Scratch.integers([5], "(1, 1)"))"]
      for layer in 0..<4 {
        for part in ["key", "value"] {
          arguments += ["--input", "past_key_values.\(layer).\(part)=\(folder)/present.\(layer).\(part).npy"]
        }
      }
      return try Program.run(arguments)
    }
    #expect(try continued(first).status == 0)
    let refused = try continued(other)
    #expect(refused.status == 1 && refused.error.contains("found f32[1, "), "\(refused.error)")
    #expect(refused.error.contains("accepted is f16[batch, "), "\(refused.error)")
  }

  private func floats(_ path: String) throws -> [Float] {
    let bytes = try Data(contentsOf: URL(filePath: path)).suffix(16384 * 4)
    return bytes.withUnsafeBytes { raw in
      (0..<16384).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
  }

  @Test func inspectPlan() throws {
    let plan = try SmallModel.plan.get()
    let report = try json(["inspect", plan, "--as", "json", "--verify"])
    #expect((report["bytes_per_token"] as? Int ?? 0) > 30_000_000)
    #expect((report["nodes"] as? [Any])?.isEmpty == false)
    #expect((report["functions"] as? [Any])?.count == 4)
    for view in ["summary", "table", "text"] {
      let outcome = try Program.run(["inspect", plan, "--as", view])
      #expect(outcome.status == 0 && outcome.output.contains("linear"), "\(view)")
    }
  }

  @Test func stagesAreTakenUpAgain() throws {
    let folder = Scratch.path("stages")
    #expect(
      try Program.run(["convert", SmallModel.onnx, "--dump-stages", folder, "--stop-after", "import"]).status
        == 0)
    let stage = try #require(
      FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasSuffix(".ir") })
    let plan = Scratch.path("again.plan")
    let report = try json(
      [
        "convert", "\(folder)/\(stage)", "-o", plan, "--tokenizer", SmallModel.tokenizer, "--weights", "f32",
        "--json",
      ])
    #expect(report["has_tokenizer"] as? Bool == true)
    #expect(try Program.run(["inspect", "\(folder)/\(stage)"]).status == 0)
    #expect(
      try Program.run(["run", plan, "--prompt", "The SMTP server", "-n", "3"]).output == " is a simple\n")
  }

  @Test func benchReport() throws {
    let arguments = ["-p", "8", "-n", "2,3", "-d", "0,16", "--blocks", "4", "-r", "1", "--json"]
    let report = try json(["bench", try SmallModel.plan.get()] + arguments)
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(
      results.map { $0["test"] as? String } == [
        "pp8", "tg2", "tg3", "pp8 @ d16", "tg2 @ d16", "tg3 @ d16",
      ])
    let rate = try #require(results[1]["tokens_per_second"] as? [String: Double])
    #expect(Set(rate.keys) == ["median", "min", "max"])
    #expect((results[1]["gb_per_second"] as? Double ?? 0) > 0)
    #expect(results[1]["share_of_roof"] == nil, "the model fits in the cache of any machine")
    // Sixteen more positions of the caches are read.
    let bytes = results.compactMap { $0["bytes_per_token"] as? Double }
    #expect(bytes.count == 6 && bytes[4] > bytes[1])
    let blocks = try #require(report["block_cost"] as? [[String: Any]])
    #expect(blocks.map { $0["tokens"] as? Int } == [1, 4])
    #expect(blocks[0]["ratio"] as? Double == 1)
    #expect((report["peak_rss_bytes"] as? Int ?? 0) > (report["plan_bytes"] as? Int ?? .max) / 2)
    #expect((report["load_ms"] as? Double ?? 0) > 0 && (report["load_again_ms"] as? Double ?? 0) > 0)
  }

  @Test func hardwareReport() throws {
    let report = try json(["hw", "--threads", "2", "--json"])
    let bandwidth = try #require(report["bandwidth"] as? [[String: Any]])
    #expect(bandwidth.map { $0["threads"] as? Int } == [1, 2])
    let peaks = try #require(report["peaks"] as? [[String: Any]])
    let formats = Set(peaks.compactMap { $0["format"] as? String })
    #expect(formats.isSuperset(of: ["f32", "bf16", "q8b32", "q8n32", "q6b16", "q5b32", "q4b32"]))
    #expect(peaks.count == 2 * formats.count, "of each format with one thread and with two")
    #expect(peaks.allSatisfy { ($0["gops_per_second"] as? Double ?? 0) > 0 })
    for family in try #require(report["kernels"] as? [[String: Any]]) {
      let ladder = try #require(family["ladder"] as? [[String: Any]])
      let chosen = ladder.filter { $0["is_chosen"] as? Bool == true }
      #expect(chosen.map { $0["kernel"] as? String } == [family["kernel"] as? String])
      #expect(chosen.allSatisfy { ($0["missing"] as? [String])?.isEmpty == true })
    }
  }

  @Test func closedPipeEndsQuietly() throws {
    let plan = try SmallModel.plan.get()
    let errors = Scratch.path("errors")
    let shell = Process()
    shell.executableURL = URL(filePath: "/bin/bash")
    let command =
      "'\(Program.path)' run '\(plan)' --prompt 'The SMTP server' -n 40 2>'\(errors)' | head -c 1 >/dev/null"
    shell.arguments = ["-c", command + "; exit ${PIPESTATUS[0]}"]
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 0)
    #expect(try String(contentsOfFile: errors, encoding: .utf8).isEmpty)
  }
}
