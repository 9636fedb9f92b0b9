import ArgumentParser
import Foundation
import Generation
import PlanFormat
import Reports
import Tensors

/// `tandem eval`: how well a plan predicts a text, alone or beside another plan.
struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures a plan's perplexity on a text, and how far it is from another plan.",
    discussion: """
      The text is cut into windows of tokens, each preceded by <bos> where the tokenizer adds one; every token is \
      scored. With --against, also the mean KL divergence from that plan and how often the most likely token is the \
      same. Numbers stand with their standard error.

        tandem eval model.plan --text book.txt --tokens 16368
        tandem eval small.plan --text book.txt --against dense.plan --json
      """)

  @Argument(help: "A plan of a decoder with a tokenizer.", completion: .file(extensions: ["plan"]))
  var plan: String

  @Option(help: ArgumentHelp("The text, UTF-8.", valueName: "file"), completion: .file())
  var text: String

  @Option(
    help: ArgumentHelp("The plan to compare with.", valueName: "plan"),
    completion: .file(extensions: ["plan"]))
  var against: String?

  @Option(help: ArgumentHelp("Tokens of the text to score; by default all.", valueName: "count"))
  var tokens: Int?

  @Option(
    help: ArgumentHelp("Tokens per window; by default 1023, or what the context holds.", valueName: "count"))
  var window: Int?

  @OptionGroup var threads: ThreadArguments

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    for (name, count) in [("--tokens", tokens), ("--window", window)] {
      if let count, count < 1 { throw ValidationError("\(name) is \(count), accepted are 1 and more") }
    }
  }

  private struct Report: Encodable {
    struct Estimate: Encodable {
      let mean: Double
      let standardError: Double

      init(_ mean: RunningMean) { (self.mean, standardError) = (mean.mean, mean.standardError) }
    }
    let plan: String
    let tokens: Int
    let perplexity: Double
    let perplexityStandardError: Double
    let against: String?
    let meanKl: Estimate?
    let top1Agreement: Estimate?
    let tokensPerSecond: Double
  }

  func run() throws {
    let file = try MappedFile(text)
    guard let content = withExtendedLifetime(file, { String(validating: file.bytes, as: UTF8.self) }) else {
      throw CommandError("'\(text)': is no UTF-8 text")
    }
    let pool = threads.pool()
    let generator = try TextGenerator(try PlanFile(path: plan), pool: pool)
    let reference = try against.map { try TextGenerator(try PlanFile(path: $0), pool: pool) }
    var options = TextScorer.Options()
    // A window and its prefix fit the smaller context.
    let context = min(generator.context, reference?.context ?? .max)
    options.window = window ?? max(1, min(options.window, context - 1))
    options.limit = tokens
    Interruption.catchFirst()
    var bar = ProgressBar()
    let start = ContinuousClock.now
    let score = try TextScorer(generator, against: reference, pool: pool).score(content, options) {
      bar.update("scoring", $0)
      return !Interruption.isRequested
    }
    bar.clear()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let report = Report(
      plan: plan, tokens: score.loss.count, perplexity: score.perplexity,
      perplexityStandardError: score.perplexityError, against: against,
      meanKl: score.divergence.map { .init($0) },
      top1Agreement: score.agreement.map { .init($0) }, tokensPerSecond: Double(score.loss.count) / seconds)
    try StandardStream.output.write(json ? try JSONText.encode(report) : text(report))
  }

  private func text(_ report: Report) -> String {
    var lines = [
      String(
        format: "perplexity       %10.4f +- %.4f  (%d tokens, %.0f a second)", report.perplexity,
        report.perplexityStandardError, report.tokens, report.tokensPerSecond)
    ]
    if let kl = report.meanKl {
      lines.append(String(format: "mean KL          %10.6f +- %.6f nats", kl.mean, kl.standardError))
    }
    if let agreement = report.top1Agreement {
      lines.append(
        String(
          format: "top-1 agreement  %10.3f +- %.3f %%", agreement.mean * 100, agreement.standardError * 100))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
