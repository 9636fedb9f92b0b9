import Foundation
import Generation
import Kernels
import PlanFormat
import Reports

/// `tandem run` on a prompt.
struct TextRun {
  /// The object that `--json` prints.
  private struct Report: Encodable {
    let promptIds: [Int32]
    let generatedIds: [Int32]
    let text: String
    let ending: String
    let threads: Int
    let head: String
    let exact: String?
    let verifiedPasses: Int?
    let mismatches: Int?
    let discardedTokens: Int?
    let denseFallbacks: Int?
    let overflows: Int?
    let survivors: [HeadReport.Survivors]?
    let largePasses: Int?
    let drafted: Int?
    let accepted: Int?
    let draft: DraftReport?
    let loadMs: Double
    let prefillMs: Double
    let prefillTokensPerSecond: Double
    let decodeMs: Double
    let decodeTokensPerSecond: Double
    let tokenMs: Latencies
    let peakRssBytes: Int
  }

  private struct Latencies: Encodable {
    let p50: Double
    let p95: Double
    let p99: Double
    let max: Double

    init(_ statistics: GenerationStatistics) {
      p50 = statistics.tokenSeconds(percentile: 50) * 1000
      p95 = statistics.tokenSeconds(percentile: 95) * 1000
      p99 = statistics.tokenSeconds(percentile: 99) * 1000
      max = statistics.tokenSeconds(percentile: 100) * 1000
    }
  }

  private let arguments: Run

  init(_ arguments: Run) { self.arguments = arguments }

  func run() throws {
    let start = ContinuousClock.now
    let prompt = try self.prompt()
    let pool = try arguments.threads.pool()
    let plan = try PlanFile(path: arguments.plan)
    let mode = try arguments.head.mode(of: plan)
    let generator = try TextGenerator(plan, pool: pool, head: mode.kind, draft: arguments.drafting.draft)
    if generator.drafting == nil, arguments.drafting.isAsked, arguments.drafting.draft != Drafting.Kind.none {
      throw CommandError(
        .wrongUsage,
        "nothing drafts for '\(arguments.plan)' unless --draft says so; accepted are ngram, and tandem where converted"
          + " with --tandem")
    }
    try check(mode)
    let loadSeconds = (ContinuousClock.now - start) / .seconds(1)

    Interruption.catchFirst()
    var bar = ProgressBar()
    var failure: (any Error)?
    var endsLine = true
    var tentative = TentativeLine()
    func attempt(_ body: () throws -> Void) {
      guard failure == nil else { return }
      do { try body() } catch { failure = error }
    }
    let isProvisional = arguments.provisional && !arguments.json && StandardStream.output.isTerminal
    var isAccepted = false
    let output = try generator.generate(
      prompt, options, isCancelled: { Interruption.isRequested || failure != nil },
      onPrefill: { bar.update("reading the prompt", Double($0) / Double($1)) },
      onTentative: isProvisional ? { text in attempt { try tentative.show(text) } } : nil,
      onOrigin: { isAccepted = $0 }
    ) { piece in
      bar.clear()
      guard !arguments.json else { return }
      endsLine = piece.unicodeScalars.last == "\n"
      attempt {
        try tentative.clear()
        let isColoured = isAccepted && arguments.drafting.showAccept
        try StandardStream.output.write(isColoured ? "\u{1B}[32m\(piece)\u{1B}[39m" : piece)
      }
    }
    bar.clear()
    attempt { try tentative.clear() }
    if let failure { throw failure }
    if !arguments.json, !endsLine { try StandardStream.output.write("\n") }
    let draft = try draftReport(output, prompt, generator)
    if arguments.json {
      try StandardStream.output.write(try JSONText.encode(report(output, mode, draft, pool, loadSeconds)))
    }
    if arguments.stats || output.ending == .cancelled {
      try printStatistics(output, mode, draft, loadSeconds)
    }
  }

  /// Checks that drafts can be verified by the head as it is used.
  private func check(_ mode: HeadMode) throws {
    let drafting = arguments.drafting
    if mode.kind == .hire, drafting.unverified {
      throw CommandError(.wrongUsage, "--unverified is for drafts of the dense head; give --head dense")
    }
    if mode.exactness == .certified, let draft = drafting.draft, draft != .none {
      throw CommandError(
        .wrongUsage,
        "--exact certified proves one token at a time; accepted with --draft are --exact none and deferred, and --head dense"
      )
    }
  }

  /// What drafting did, with `--stats` beside the same text without it.
  private func draftReport(
    _ output: TextGenerator.Output, _ prompt: String, _ generator: TextGenerator
  ) throws -> DraftReport? {
    guard let drafting = generator.drafting else { return nil }
    var comparison: DraftReport.Comparison?
    if arguments.stats, output.ending != .cancelled {
      var options = options
      options.drafts = false
      var bar = ProgressBar()
      bar.update("the same without drafts", nil)
      let plain = try generator.generate(prompt, options, isCancelled: { Interruption.isRequested })
      bar.clear()
      if plain.ending != .cancelled { comparison = DraftReport.Comparison(output, plain) }
    }
    return DraftReport(
      drafting.kind, isVerified: !arguments.drafting.unverified, output.statistics.draft, comparison)
  }

  // MARK: Input

  private func prompt() throws -> String {
    if let prompt = arguments.prompt { return prompt }
    let path = arguments.promptFile ?? "-"
    let data: Data
    if path == "-" {
      data = FileHandle.standardInput.readDataToEndOfFile()
    } else {
      guard let contents = FileManager.default.contents(atPath: path) else {
        throw CommandError("'\(path)': cannot be read; accepted is a text file in UTF-8")
      }
      data = contents
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw CommandError("'\(path == "-" ? "standard input" : path)': it is not text in UTF-8")
    }
    return Self.withoutLineEnd(text)
  }

  /// Takes one "\n" or "\r\n" off the end. The latter is one character, but two scalars.
  private static func withoutLineEnd(_ text: String) -> String {
    var scalars = text.unicodeScalars
    guard scalars.last == "\n" else { return text }
    scalars.removeLast()
    if scalars.last == "\r" { scalars.removeLast() }
    return String(scalars)
  }

  private var options: TextGenerator.Options {
    var options = TextGenerator.Options()
    options.tokens.maxTokens = arguments.maxTokens
    options.tokens.sampling = arguments.sampling.options
    options.tokens.exactness = arguments.head.exact
    options.tokens.blockLength = arguments.drafting.block
    options.tokens.verifiesDrafts = !arguments.drafting.unverified
    options.addsSpecialTokens = !arguments.noBos
    options.ignoresEndOfText = arguments.ignoreEos
    options.stopStrings = arguments.stop
    return options
  }

  // MARK: Reports

  private func report(
    _ output: TextGenerator.Output, _ mode: HeadMode, _ draft: DraftReport?, _ pool: ThreadPool,
    _ loadSeconds: Double
  ) -> Report {
    let statistics = output.statistics
    let head = mode.kind == .hire ? HeadReport(mode.exactness, statistics) : nil
    return Report(
      promptIds: output.promptTokens, generatedIds: output.tokens, text: output.text,
      ending: output.ending.rawValue, threads: pool.threadCount, head: mode.kind.rawValue,
      exact: head?.exact, verifiedPasses: head?.verifiedPasses, mismatches: head?.mismatches,
      discardedTokens: head?.discardedTokens, denseFallbacks: head?.denseFallbacks,
      overflows: head?.overflows,
      survivors: head?.survivors, largePasses: draft.map { _ in statistics.draft.largePasses },
      drafted: draft.map { _ in statistics.draft.drafted },
      accepted: draft.map { _ in statistics.draft.accepted }, draft: draft,
      loadMs: loadSeconds * 1000,
      prefillMs: statistics.prefillSeconds * 1000, prefillTokensPerSecond: statistics.prefillTokensPerSecond,
      decodeMs: statistics.decodeSeconds * 1000, decodeTokensPerSecond: statistics.decodeTokensPerSecond,
      tokenMs: Latencies(statistics), peakRssBytes: ProcessMemory.peakByteCount)
  }

  private func printStatistics(
    _ output: TextGenerator.Output, _ mode: HeadMode, _ draft: DraftReport?, _ loadSeconds: Double
  ) throws {
    let statistics = output.statistics
    func milliseconds(_ seconds: Double) -> String { String(format: "%.1f ms", seconds * 1000) }
    func line(_ label: String, _ tokens: Int, _ seconds: Double, _ rate: Double) -> String {
      String(format: "%@ %6d tokens %10.1f ms %9.1f tokens/s\n", label, tokens, seconds * 1000, rate)
    }
    var text = "load     \(milliseconds(loadSeconds))\n"
    text += line(
      "prompt  ", statistics.promptTokens, statistics.prefillSeconds, statistics.prefillTokensPerSecond)
    text += line(
      "generate", statistics.generatedTokens, statistics.decodeSeconds, statistics.decodeTokensPerSecond)
    let latencies = [50.0, 95, 99, 100].map { milliseconds(statistics.tokenSeconds(percentile: $0)) }
    text +=
      "token    median \(latencies[0]), p95 \(latencies[1]), p99 \(latencies[2]), slowest \(latencies[3])\n"
    if mode.kind == .hire { text += "head     \(HeadReport(mode.exactness, statistics).text)\n" }
    if let draft { text += draft.text(statistics.draft) }
    text += String(
      format: "memory   %.1f MB at most; ended by %@\n", Double(ProcessMemory.peakByteCount) / 1e6,
      output.ending.rawValue.replacingOccurrences(of: "_", with: " "))
    try StandardStream.error.write(text)
  }
}
