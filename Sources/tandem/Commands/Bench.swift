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
      without a small model that is trained. Both heads are dense then, and -n is one count, of the text.

        tandem bench model.plan -p 512 -n 128 -r 5
        tandem bench model.plan -p 0 -n 64 -d 0,1024,4096 --json
        tandem bench large.plan --draft-plan small.plan --lengths 3,7
      """)

  @Argument(help: "A plan of a decoder.", completion: .file(extensions: ["plan"]))
  var plan: String

  @Option(
    name: .short, parsing: .unconditional,
    help: ArgumentHelp(
      "Tokens of the prompt; 0 leaves the test out. By default 512, or what the context holds.",
      valueName: "count"))
  var p: CountList?

  @Option(
    name: .short, parsing: .unconditional,
    help: ArgumentHelp(
      "Tokens to generate; 0 leaves the test out. By default 128, or what the context holds.",
      valueName: "count"))
  var n: CountList?

  @Option(
    name: .short, parsing: .unconditional,
    help: ArgumentHelp("Tokens in the caches before a test; by default 0.", valueName: "count"))
  var d: CountList?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Tokens of blocks to compare with one token; 0 leaves them out. By default 1,2,4,8,16.",
      valueName: "count"))
  var blocks: CountList?

  @Option(
    name: .short, parsing: .unconditional,
    help: ArgumentHelp("Rounds of each test; by default 5, of drafts 3.", valueName: "count"))
  var r: Int?

  @Option(
    help: ArgumentHelp(
      "Measure drafts only, by this plan, that are right as often as --acceptance says.", valueName: "plan"),
    completion: .file(extensions: ["plan"]))
  var draftPlan: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --draft-plan: shares of proposals that are right, by default 0.6,0.7,0.8,0.9.",
      valueName: "shares"
    ))
  var acceptance: ShareList?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --draft-plan: tokens of a draft, by default 1,2,3,4,5,7.", valueName: "count"))
  var lengths: CountList?

  @OptionGroup(title: "Head") var head: HeadArguments

  @OptionGroup var threads: ThreadArguments

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    for (option, list) in [("-p", p), ("-n", n), ("-d", d), ("--blocks", blocks)] {
      let counts = list?.counts ?? []
      if let count = counts.first(where: { $0 < 0 }) {
        throw ValidationError("\(option) is \(count), accepted are 0 and more")
      }
      if let count = counts.first(where: { $0 > Self.largestCount }) {
        throw ValidationError("\(option) is \(count), accepted are \(Self.largestCount) and less")
      }
    }
    if let r, r < 1 { throw ValidationError("-r is \(r), accepted are 1 and more") }
    if draftPlan != nil { return try validateReplay() }
    if acceptance != nil || lengths != nil {
      throw ValidationError("--acceptance and --lengths are of drafts, and need --draft-plan")
    }
    if let count = blockCounts.first(where: { $0 > Self.largestBlock }) {
      throw ValidationError("--blocks is \(count), accepted are 0...\(Self.largestBlock)")
    }
    if tests(context: .max).isEmpty && blockSizes.isEmpty {
      throw ValidationError("-p, -n and --blocks are 0, accepted is one of them at least 1")
    }
  }

  private func validateReplay() throws {
    let others: [(String, Bool)] = [
      ("-p", p != nil), ("-d", d != nil), ("--blocks", blocks != nil), ("--head hire", head.head == .hire),
      ("--exact", head.exact != nil),
    ]
    if let (option, _) = others.first(where: \.1) {
      throw ValidationError(
        "\(option) is not for --draft-plan, accepted with it are -n, -r, --acceptance, --lengths, --threads and"
          + " --json")
    }
    if let n, n.counts.count > 1 || n.counts[0] < DraftReplay.leastCount {
      throw ValidationError(
        "-n is \(n.text), accepted with --draft-plan is one count,"
          + " \(DraftReplay.leastCount) or more")
    }
    for length in draftLengths where !(1...BlockLength.largest).contains(length) {
      throw ValidationError("--lengths is \(length), accepted are 1...\(BlockLength.largest)")
    }
  }

  /// What every context is smaller than.
  private static let largestCount = 1 << 30
  /// What a run with the logits of all its tokens takes.
  private static let largestBlock = 16

  private func tests(context: Int) -> [BenchTest] {
    depths.unique.flatMap { depth in
      let room = max(1, context - depth - 1)
      return (p?.unique ?? [min(512, room)]).filter { $0 > 0 }.map { BenchTest(.prefill, $0, depth: depth) }
        + (n?.unique ?? [min(128, room)]).filter { $0 > 0 }.map { BenchTest(.decode, $0, depth: depth) }
    }
  }

  private var depths: CountList { d ?? CountList([0]) }
  private var blockCounts: [Int] { blocks?.counts ?? [1, 2, 4, 8, 16] }
  private var draftLengths: [Int] { lengths?.counts ?? [1, 2, 3, 4, 5, 7] }
  private var shares: [Double] { acceptance?.shares ?? [0.6, 0.7, 0.8, 0.9] }

  /// One token is what others are compared with.
  private var blockSizes: [Int] {
    let sizes = Set(blockCounts).subtracting([0])
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
    var measurement = BenchMeasurement(
      tests: tests, blockSizes: blockSizes, blockDepth: depths.counts.min() ?? 0)
    // Nothing of the first round counts but its memory, before any is taken to measure that.
    bar.update("warming up", nil)
    try measurement.run(timer) { 1 }
    let memory = BenchReport.Memory(
      plan: file.byteCount, working: decoder.workingByteCount, peak: ProcessMemory.peakByteCount)
    measurement.reset()
    timer.forget()
    let roof = ReadBandwidth(byteCount: 256 << 20)
    let rounds = r ?? 5
    for round in 0..<rounds {
      try measurement.run(timer) {
        bar.update("measuring", Double(round) / Double(rounds))
        return roof.best(of: 2, pool)
      }
    }
    bar.clear()
    let report = BenchReport(
      plan: plan, threads: pool.threadCount, rounds: rounds, measurement, file.program,
      load: (loadSeconds, try loadSecondsAgain(pool)), memory,
      head: mode.kind == .hire ? HeadReport(mode.exactness, timer.statistics) : nil)
    try StandardStream.output.write(json ? try JSONText.encode(report) : report.text)
  }

  /// Times drafts that are right as often as asked.
  private func runReplay(_ small: String, _ pool: ThreadPool) throws {
    var bar = ProgressBar()
    bar.update("without drafts", nil)
    let replay = try DraftReplay(
      try PlanFile(path: plan), small: try PlanFile(path: small), count: n?.counts[0] ?? 128, rounds: r ?? 3,
      pool: pool)
    var results: [DraftReplay.Result] = []
    let total = Double(shares.count * draftLengths.count)
    for share in shares {
      for length in draftLengths {
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
    let largest = (blockSizes.last ?? 0) + (depths.counts.min() ?? 0)
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
