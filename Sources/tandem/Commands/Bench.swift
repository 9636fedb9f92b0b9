import ArgumentParser
import Foundation
import Generation
import Kernels
import PlanFormat
import Reports

/// `tandem bench`: how fast a plan is on this machine.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures prefill, decoding and blocks of a plan beside the speed of memory.",
    discussion: """
      Tests are named as llama-bench does: pp512 reads a prompt of 512 tokens, tg128 generates 128 tokens, "@ d1024" \
      says that 1024 tokens were there before. Options with counts take several: -n 32,128. Tests run in turns, and \
      before each the reading speed of memory is measured, the roof of decoding: what a token reads (weights, and \
      caches as far as attention looks) per second over that speed is the share of the roof. Blocks are runs over \
      some tokens with the logits of all.

      With --draft-plan a text that the model has written is drafted again, each token right with the probability \
      asked for, while the small plan runs once per proposal and over what is kept: what drafts bring at that size, \
      without a small model that is trained.

        tandem bench model.plan -p 512 -n 128 -r 5
        tandem bench model.plan -p 0 -n 64 -d 0,1024,4096 --json
        tandem bench large.plan --draft-plan small.plan --lengths 3,7
      """)

  @Argument(help: "A plan of a decoder.", completion: .file(extensions: ["plan"]))
  var plan: String

  @Option(
    name: .short,
    help: ArgumentHelp(
      "Tokens of the prompt; 0 leaves the test out. By default 512, or what the context holds.",
      valueName: "count"))
  var p: CountList?

  @Option(
    name: .short,
    help: ArgumentHelp(
      "Tokens to generate; 0 leaves the test out. By default 128, or what the context holds.",
      valueName: "count"))
  var n: CountList?

  @Option(name: .short, help: ArgumentHelp("Tokens in the caches before a test.", valueName: "count"))
  var d = CountList([0])

  @Option(
    help: ArgumentHelp("Tokens of blocks to compare with one token; 0 leaves them out.", valueName: "count"))
  var blocks = CountList([1, 2, 4, 8, 16])

  @Option(name: .short, help: ArgumentHelp("Rounds of each test.", valueName: "count"))
  var r = 5

  @Option(
    help: ArgumentHelp(
      "Measure drafts only, by this plan, that are right as often as --acceptance says.", valueName: "plan"),
    completion: .file(extensions: ["plan"]))
  var draftPlan: String?

  @Option(help: ArgumentHelp("With --draft-plan: shares of proposals that are right.", valueName: "shares"))
  var acceptance = ShareList([0.6, 0.7, 0.8, 0.9])

  @Option(help: ArgumentHelp("With --draft-plan: tokens of a draft.", valueName: "count"))
  var lengths = CountList([1, 2, 3, 4, 5, 7])

  @OptionGroup(title: "Head") var head: HeadArguments

  @OptionGroup var threads: ThreadArguments

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    for (option, list) in [("-p", p), ("-n", n), ("-d", d), ("--blocks", blocks)] {
      if let count = list?.counts.first(where: { $0 < 0 }) {
        throw ValidationError("\(option) is \(count), accepted are 0 and more")
      }
    }
    if let count = blocks.counts.first(where: { $0 > Self.largestBlock }) {
      throw ValidationError("--blocks is \(count), accepted are 0...\(Self.largestBlock)")
    }
    for length in lengths.counts where !(1...BlockLength.largest).contains(length) {
      throw ValidationError("--lengths is \(length), accepted are 1...\(BlockLength.largest)")
    }
    if r < 1 { throw ValidationError("-r is \(r), accepted are 1 and more") }
    if draftPlan != nil, n?.counts.contains(0) == true {
      throw ValidationError("-n is 0, accepted with --draft-plan are 1 and more")
    }
    if tests(context: .max).isEmpty && blockSizes.isEmpty {
      throw ValidationError("-p, -n and --blocks are 0, accepted is one of them at least 1")
    }
  }

  /// What a run with the logits of all its tokens takes.
  private static let largestBlock = 16

  private func tests(context: Int) -> [BenchTest] {
    d.unique.flatMap { depth in
      let room = max(1, context - depth - 1)
      return (p?.unique ?? [min(512, room)]).filter { $0 > 0 }.map { BenchTest(.prefill, $0, depth: depth) }
        + (n?.unique ?? [min(128, room)]).filter { $0 > 0 }.map { BenchTest(.decode, $0, depth: depth) }
    }
  }

  /// One token is what others are compared with.
  private var blockSizes: [Int] {
    let sizes = Set(blocks.counts).subtracting([0])
    return sizes.isEmpty ? [] : sizes.union([1]).sorted()
  }

  func run() throws {
    let pool = try threads.pool()
    if let draftPlan { return try runReplay(draftPlan, pool) }
    let start = ContinuousClock.now
    let file = try PlanFile(path: plan)
    let mode = try head.mode(of: file)
    let decoder = try Decoder(file, pool: pool, head: mode.kind)
    let loadSeconds = (ContinuousClock.now - start).seconds
    let context = try file.contextLength()
    let tests = tests(context: context)
    let capacity = try capacity(context, tests)
    let timer = try DecoderTimer(decoder, capacity: capacity, exactness: mode.exactness)
    var bar = ProgressBar()
    var measurement = BenchMeasurement(tests: tests, blockSizes: blockSizes, blockDepth: d.counts.min() ?? 0)
    // Nothing of the first round counts but its memory, before any is taken to measure that.
    bar.update("warming up", nil)
    try measurement.run(timer) { 1 }
    let memory = BenchReport.Memory(
      plan: file.byteCount, working: decoder.workingByteCount, peak: ProcessMemory.peakByteCount)
    measurement.reset()
    timer.forget()
    let roof = ReadBandwidth(byteCount: 256 << 20)
    for round in 0..<r {
      try measurement.run(timer) {
        bar.update("measuring", Double(round) / Double(r))
        return roof.best(of: 2, pool)
      }
    }
    bar.clear()
    let report = BenchReport(
      plan: plan, threads: pool.threadCount, rounds: r, measurement, file.program,
      load: (loadSeconds, try loadSecondsAgain(pool)), memory,
      head: mode.kind == .hire ? HeadReport(mode.exactness, timer.statistics) : nil)
    try StandardStream.output.write(json ? try JSONText.encode(report) : report.text)
  }

  /// Times drafts that are right as often as asked.
  private func runReplay(_ small: String, _ pool: ThreadPool) throws {
    var bar = ProgressBar()
    bar.update("without drafts", nil)
    let replay = try DraftReplay(
      try PlanFile(path: plan), small: try PlanFile(path: small), count: n?.counts.max() ?? 128, pool: pool)
    var results: [DraftReplay.Result] = []
    let total = Double(acceptance.shares.count * lengths.counts.count)
    for share in acceptance.shares {
      for length in lengths.counts {
        bar.update("with drafts", Double(results.count) / total)
        results.append(try replay.run(acceptance: share, length: length))
      }
    }
    bar.clear()
    let report = ReplayReport(plan, small, replay, results)
    try StandardStream.output.write(json ? try JSONText.encode(report) : report.text)
  }

  /// Tokens that the longest test ends with.
  private func capacity(_ context: Int, _ tests: [BenchTest]) throws -> Int {
    for test in tests where test.depth + test.count >= context {
      throw CommandError(
        "\(test.name) needs \(test.depth + test.count + 1) tokens, the plan's context is \(context)")
    }
    let largest = (blockSizes.last ?? 0) + (d.counts.min() ?? 0)
    guard largest <= context else {
      throw CommandError("--blocks needs \(largest) tokens, the plan's context is \(context)")
    }
    return max(largest, tests.map { $0.depth + $0.count }.max() ?? 0)
  }

  /// What opening and preparing the plan takes when its pages are at hand: the median of a few times.
  private func loadSecondsAgain(_ pool: ThreadPool) throws -> Double {
    let times = try (0..<5).map { _ in
      let start = ContinuousClock.now
      let decoder = try Decoder(try PlanFile(path: plan), pool: pool)
      return withExtendedLifetime(decoder) { (ContinuousClock.now - start).seconds }
    }
    return Spread(times).median
  }
}
