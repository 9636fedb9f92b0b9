import ArgumentParser
import Foundation
import Generation
import Kernels
import PlanFormat
import Reports
import Tokenization

/// `tandem bench`: how fast a plan is on this machine.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures prefill and decoding of a plan.",
    discussion: """
      Tests are named as llama-bench does: pp512 reads a prompt of 512 tokens, tg128 generates 128 tokens.

        tandem bench model.plan -p 512 -n 128 -r 5
      """)

  @Argument(help: "A plan of a decoder.", completion: .file(extensions: ["plan"]))
  var plan: String

  @Option(
    name: .short, help: ArgumentHelp("Tokens of the prompt; 0 leaves the test out.", valueName: "count"))
  var p = 512

  @Option(name: .short, help: ArgumentHelp("Tokens to generate; 0 leaves the test out.", valueName: "count"))
  var n = 128

  @Option(name: .short, help: ArgumentHelp("Rounds of each test.", valueName: "count"))
  var r = 5

  @OptionGroup(title: "Head") var head: HeadArguments

  @OptionGroup var threads: ThreadArguments

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if p < 0 || n < 0 { throw ValidationError("-p is \(p) and -n is \(n), accepted are 0 and more") }
    if p == 0 && n == 0 { throw ValidationError("-p and -n are 0, accepted is one of them at least 1") }
    if r < 1 { throw ValidationError("-r is \(r), accepted are 1 and more") }
  }

  private struct Report: Encodable {
    struct Rate: Encodable {
      let median: Double
      let min: Double
      let max: Double

      init(_ rates: [Double]) {
        let sorted = rates.sorted()
        median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        min = sorted[0]
        max = sorted[sorted.count - 1]
      }
    }
    struct Result: Encodable {
      let test: String
      let tokensPerSecond: Rate
      /// Weight bytes per token; of prefill, per run divided by its tokens.
      let bytesPerToken: Double
      let gbPerSecond: Double

      init(_ test: String, _ rates: [Double], bytesPerToken: Double) {
        self.test = test
        self.bytesPerToken = bytesPerToken
        tokensPerSecond = Rate(rates)
        gbPerSecond = tokensPerSecond.median * bytesPerToken / 1e9
      }
    }
    let plan: String
    let threads: Int
    let rounds: Int
    let results: [Result]
    let loadMs: Double
    let peakRssBytes: Int
  }

  func run() throws {
    let start = ContinuousClock.now
    let file = try PlanFile(path: plan)
    let pool = threads.pool()
    let mode = try head.mode(of: file)
    let decoder = try Decoder(file, pool: pool, head: mode.kind)
    let context = try file.contextLength()
    let loadSeconds = (ContinuousClock.now - start) / .seconds(1)
    for (option, count) in [("-p", p), ("-n", n)] where count >= context {
      throw CommandError("\(option) is \(count), accepted are less than the plan's context of \(context)")
    }
    let bytes = Double(PlanSummary(file).decoding?.bytesPerToken ?? 0)
    var results: [Report.Result] = []
    if p > 0 {
      let rates = try measure(decoder, context, prompt: p, tokens: 1) { $0.prefillTokensPerSecond }
      let runs = Double((p + 511) / 512)
      results.append(.init("pp\(p)", rates, bytesPerToken: bytes * runs / Double(p)))
    }
    if n > 0 {
      let rates = try measure(decoder, context, prompt: 1, tokens: n + 1) { $0.decodeTokensPerSecond }
      results.append(.init("tg\(n)", rates, bytesPerToken: bytes))
    }
    let report = Report(
      plan: plan, threads: pool.threadCount, rounds: r, results: results, loadMs: loadSeconds * 1000,
      peakRssBytes: ProcessMemory.peakByteCount)
    try StandardStream.output.write(json ? try JSONText.encode(report) : text(report))
  }

  /// One round to warm up, then the measured ones.
  private func measure(
    _ decoder: Decoder, _ context: Int, prompt: Int, tokens: Int, _ rate: (GenerationStatistics) -> Double
  ) throws -> [Double] {
    let generator = TokenGenerator(decoder, context: context + 1)
    var options = TokenGenerator.Options()
    options.maxTokens = tokens
    options.exactness = head.exact
    let vocabulary = decoder.vocabularyCount ?? 2
    // Any tokens do: what a dense model computes does not depend on them.
    let ids = (0..<prompt).map { TokenID(($0 &* 7919 + 1) % vocabulary) }
    var bar = ProgressBar()
    var rates: [Double] = []
    for round in 0...r {
      bar.update(prompt > 1 ? "reading prompts" : "generating", Double(round) / Double(r + 1))
      let output = try generator.generate(ids, options)
      if round > 0 { rates.append(rate(output.statistics)) }
    }
    return rates
  }

  private func text(_ report: Report) -> String {
    var text = "test         tokens/s (median, min - max)      MB/token      GB/s\n"
    for result in report.results {
      let rate = result.tokensPerSecond
      let test = result.test.padding(toLength: 8, withPad: " ", startingAt: 0)
      text += String(
        format: "%@ %12.1f  %10.1f - %-10.1f %8.1f %9.1f\n", test, rate.median, rate.min, rate.max,
        result.bytesPerToken / 1e6, result.gbPerSecond)
    }
    text += String(
      format: "load %.1f ms, memory %.1f MB at most, %d threads\n", report.loadMs,
      Double(report.peakRssBytes) / 1e6,
      report.threads)
    return text
  }
}
