import TestSupport
import Testing

@Suite struct HelpTests {
  @Test(arguments: ["", "convert", "inspect", "run", "bench", "hw"])
  func helpOfCommand(_ command: String) throws {
    let outcome = try Program.run(command.isEmpty ? ["--help"] : [command, "--help"])
    #expect(outcome.status == 0)
    #expect(outcome.error.isEmpty)
    try Golden.expect(outcome.output, named: "help\(command.isEmpty ? "" : "-")\(command).txt")
  }

  @Test func version() throws {
    let outcome = try Program.run(["--version"])
    #expect(outcome.status == 0)
    #expect(outcome.output == "0.1.0\n")
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionScript(_ shell: String) throws {
    let outcome = try Program.run(["--generate-completion-script", shell])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("repetition-penalty"))
  }

  /// - Note: each has its usage line after the message.
  @Test(arguments: [
    (["fly"], "Unexpected argument 'fly'"),
    (["run"], "Missing expected argument '<plan>'"),
    (["run", "a.plan"], "give one of --prompt, --prompt-file and --input"),
    (["run", "a.plan", "--prompt", "a", "--topk", "3"], "Unknown option '--topk'. Did you mean '--top-k'?"),
    (["run", "a.plan", "--prompt", "a", "-n", "0"], "-n is 0, accepted are 1 and more"),
    (["run", "a.plan", "--prompt", "a", "-n", "many"], "The value 'many' is invalid for '-n <count>'"),
    (
      ["run", "a.plan", "--prompt", "a", "--temperature", "-1"], "temperature is -1.0, accepted is 0 or more"
    ),
    (
      ["run", "a.plan", "--prompt", "a", "--top-p", "0"],
      "top-p is 0.0, accepted is more than 0 and at most 1"
    ),
    (
      ["run", "a.plan", "--prompt", "a", "--threads", "0"],
      "the number of threads is 0, accepted are 1...1024"
    ),
    (["run", "a.plan", "--input", "ids", "--output", "o"], "--input is 'ids', accepted is NAME=FILE.npy"),
    (["run", "a.plan", "--input", "ids=a.npy"], "--input needs --output DIR"),
    (["convert", "a.onnx"], "give the plan to write with -o PLAN"),
    (["convert", "a.onnx", "-o", "a.plan", "--disable", "x"], "there is no pass 'x', accepted are "),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--stop-after", "import"],
      "-o cannot be used with --stop-after, which ends before a plan is written"
    ),
    (["convert", "a.onnx", "--stop-after", "x"], "there is no stage 'x', accepted are "),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--ffn", "hire", "--ffn-budget", "0.01"],
      "The value '0.01' is invalid for '--ffn-budget <kl=nats>'"
    ),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--ffn", "hire", "--ffn-budget", "kl=some"],
      "The value 'kl=some' is invalid for '--ffn-budget <kl=nats>'"
    ),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--ffn", "hire", "--ffn-budget", "kl=-1"],
      "--ffn-budget is kl=-1.0, accepted is kl= and more than 0 nats"
    ),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--ffn", "hire", "--ffn-budget", "kl=1", "--ffn-keep", "0.5"],
      "--ffn-budget and --ffn-keep cannot be used together"
    ),
    (["convert", "a.onnx", "-o", "a.plan", "--ffn-budget", "kl=1"], "--ffn-budget needs --ffn hire"),
    (["convert", "a.onnx", "-o", "a.plan", "--ffn-keep", "0.5"], "--ffn-keep needs --ffn hire"),
    (
      ["convert", "a.onnx", "--stop-after", "fold-constants", "--disable", "fold-constants"],
      "--stop-after is 'fold-constants', which does not run: --disable leaves it out"
    ),
    (
      ["convert", "a.onnx", "--print-after", "decompose-composites", "--allow", "exact"],
      "--print-after is 'decompose-composites', which does not run: its class is 'rounding', which --allow exact "
        + "leaves out"
    ),
    (
      ["convert", "a.onnx", "--stop-after", "import", "--print-after", "fold-constants"],
      "--print-after is 'fold-constants', which --stop-after import does not reach"
    ),
    (["convert", "a.onnx", "--why-not", "x"], "there is no pass 'x', accepted are all, "),
    (["inspect", "a.onnx", "--why-not", "x"], "there is no pass 'x', accepted are all, "),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--stop-after-patch=-1"],
      "the number of the last patch is -1, accepted are 0 and more"
    ),
    (
      ["run", "a.plan", "--prompt", "a", "--head", "dense", "--exact", "deferred"],
      "--exact is 'deferred', which is for --head hire; the dense head misses nothing"
    ),
    (
      ["run", "a.plan", "--input", "a=b", "--output", "o", "--head", "hire"],
      "options of head and drafting, and --provisional, need --prompt or --prompt-file"
    ),
    (["eval", "a.plan", "--text", "a", "--head-k", "5"], "--head-k needs --head hire and --against"),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--exact", "deferred"],
      "--exact is 'deferred', which is for --head hire; the dense head misses nothing"
    ),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--tandem", "derived", "--head", "dense", "--exact", "deferred"],
      "--exact is 'deferred', which is for --head hire; the dense head misses nothing"
    ),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--tandem", "derived", "--exact", "certified"],
      "--exact is 'certified', with --tandem derived accepted is deferred, which verifies what its drafters write"
    ),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--tandem", "derived", "--exact", "none"],
      "--exact is 'none', with --tandem derived accepted is deferred, "
    ),
    (["eval", "a.plan", "--text", "a", "--tokens", "-3"], "--tokens is -3, accepted are 1 and more"),
    (["eval", "a.plan", "--text", "a", "--unverified", "-1"], "--unverified is -1, accepted are 1...15"),
    (
      ["run", "a.plan", "--prompt", "a", "--block", "-3"],
      "The value '-3' is invalid for '--block <n|auto>'"
    ),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--recall", "-1"],
      "--recall is -1.0, accepted is more than 0 and at most 1"
    ),
    (["bench", "a.plan", "-d", "-1"], "-d is -1, accepted are 0 and more"),
    (["bench", "a.plan", "-n", "\(Int.max)"], "-n is \(Int.max), accepted are 1073741824 and less"),
    (
      ["run", "a.plan", "--prompt", "a", "--threads", "-2"],
      "the number of threads is -2, accepted are 1...1024"
    ),
    (
      ["bench", "a.plan", "--acceptance", "0.5"],
      "--acceptance and --lengths are of drafts, and need --draft-plan"
    ),
    (
      ["bench", "a.plan", "--lengths", "3"], "--acceptance and --lengths are of drafts, and need --draft-plan"
    ),
    (
      ["bench", "a.plan", "--draft-plan", "b.plan", "-d", "16"],
      "-d is not for --draft-plan, accepted with it are -n, -r, --acceptance, --lengths, --threads and --json"
    ),
    (["bench", "a.plan", "--draft-plan", "b.plan", "-p", "16"], "-p is not for --draft-plan, "),
    (["bench", "a.plan", "--draft-plan", "b.plan", "--blocks", "2"], "--blocks is not for --draft-plan, "),
    (
      ["bench", "a.plan", "--draft-plan", "b.plan", "--head", "hire"], "--head hire is not for --draft-plan, "
    ),
    (["bench", "a.plan", "--draft-plan", "b.plan", "--exact", "none"], "--exact is not for --draft-plan, "),
    (
      ["bench", "a.plan", "--draft-plan", "b.plan", "-n", "16,32"],
      "-n is 16,32, accepted with --draft-plan is one count, 2 or more"
    ),
    (
      ["bench", "a.plan", "--draft-plan", "b.plan", "-n", "1"],
      "-n is 1, accepted with --draft-plan is one count, 2 or more"
    ),
    (
      ["bench", "a.plan", "--draft-plan", "b.plan", "--lengths", "0"], "--lengths is 0, accepted are 1...15"
    ),
    (["bench", "a.plan", "-r", "0"], "-r is 0, accepted are 1 and more"),
    (["bench", "a.plan", "--blocks", "4,17"], "--blocks is 17, accepted are 0...16"),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--weights", "q4", "--allow", "rounding"],
      "--weights q4 needs the pass 'quantize-weights', whose class is 'statistical', which --allow rounding leaves out"
    ),
    (
      ["convert", "a.onnx", "-o", "a.plan", "--kv-cache", "f16", "--allow", "exact"],
      "--kv-cache f16 needs the pass 'narrow-caches'"
    ),
    (["bench", "a.plan", "-d", "0,-1"], "-d is -1, accepted are 0 and more"),
    (["bench", "a.plan", "-n", "1,x"], "The value '1,x' is invalid for '-n <count>'"),
    (
      ["bench", "a.plan", "-p", "0", "-n", "0", "--blocks", "0"],
      "-p, -n and --blocks are 0, accepted is one of them at least 1"
    ),
  ])
  func wrongUsage(_ arguments: [String], _ message: String) throws {
    let outcome = try Program.run(arguments)
    #expect(outcome.status == 2)
    #expect(outcome.output.isEmpty)
    #expect(outcome.error.hasPrefix("tandem: error: \(message)"), "\(outcome.error)")
  }
}
