import ArgumentParser
import Foundation
import Generation
import Kernels
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

      With --head hire, candidates are scored with the estimate of the normalizer, and all other tokens are one \
      event: its probability q(tail) is 1 - sum of exp(logit - estimate) over the candidates, at least 2^-24, of \
      which a token has an equal share. With --against, which may be the same plan for its dense head, KL is the \
      sum of p log(p / q) over the candidates and the tail, p(tail) being 1 - sum of p over the candidates; recall \
      is the share of the likeliest tokens that are candidates.

      Of a plan with feed-forward blocks of chosen neurons, a table tells block by block the share of neurons that \
      were candidates and active, of how many groups that exact scores of all neurons would have made active they \
      were, the bytes that a token reads (at most, and of columns whose neurons were not 0), and the neurons that the \
      tokens of a run used together; --rows sets how many tokens that are.

      With --unverified N, what a pair writes that keeps its drafts as they are: the small model predicts N tokens of \
      the text after each that the large one does, and sees all before these through its hidden states. KL and \
      agreement are those of the large and the small model where the small one predicts.

        tandem eval model.plan --text book.txt --tokens 16368
        tandem eval small.plan --text book.txt --against dense.plan --json
        tandem eval model.plan --text book.txt --head hire --against model.plan
        tandem eval pair.plan --text book.txt --unverified 3
      """)

  @Argument(help: "A plan of a decoder with a tokenizer.", completion: .file(extensions: ["plan"]))
  var plan: String

  @Option(help: ArgumentHelp("The text, UTF-8.", valueName: "file"), completion: .file())
  var text: String

  @Option(
    help: ArgumentHelp("The plan to compare with.", valueName: "plan"),
    completion: .file(extensions: ["plan"]))
  var against: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Tokens of the text to score; by default all.", valueName: "count"))
  var tokens: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Tokens per window; by default 1023, or what the context holds.", valueName: "count"))
  var window: Int?

  @Option(help: "The head to score; HiRE candidates are compared with --against.")
  var head = HeadMode.Kind.dense

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      With --head hire and --against: how many of the likeliest tokens to look for among candidates; by default \
      as converted, or 64.
      """, valueName: "count"))
  var headK: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Tokens of a run; by default 64, or what sparse blocks take.", valueName: "count"))
  var rows: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Score drafts of so many tokens by the small model of the plan, and the large one's token behind each.",
      valueName: "count"))
  var unverified: Int?

  @OptionGroup var threads: ThreadArguments

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    let counts = [("--tokens", tokens), ("--window", window), ("--head-k", headK), ("--rows", rows)]
    for (name, count) in counts {
      if let count, count < 1 { throw ValidationError("\(name) is \(count), accepted are 1 and more") }
    }
    if headK != nil, head == .dense || against == nil {
      throw ValidationError("--head-k needs --head hire and --against")
    }
    if let unverified {
      guard (1...BlockLength.largest).contains(unverified) else {
        throw ValidationError("--unverified is \(unverified), accepted are 1...\(BlockLength.largest)")
      }
      if head == .hire || against != nil || rows != nil {
        throw ValidationError("--unverified goes without --head hire, --against and --rows")
      }
    }
  }

  private struct Report: Encodable {
    typealias Estimate = EvalEstimate
    let plan: String
    let head: String
    let tokens: Int
    let perplexity: Double
    let perplexityStandardError: Double
    let against: String?
    let meanKl: Estimate?
    let top1Agreement: Estimate?
    /// By the number of likeliest tokens.
    let headRecall: [String: Estimate]?
    let normalizerError: Estimate?
    let normalizerStandardDeviation: Double?
    /// Feed-forward blocks of chosen neurons.
    let blocks: [SparseBlockFacts]?
    let tokensPerSecond: Double
    /// Whether Ctrl-C ended it, so that figures are those of the first tokens only.
    let interrupted: Bool
  }

  func run() throws {
    let file = try MappedFile(text)
    guard let content = withExtendedLifetime(file, { String(validating: file.bytes, as: UTF8.self) }) else {
      throw CommandError("'\(text)': is no UTF-8 text")
    }
    let pool = try threads.pool()
    if let unverified { return try scoreDrafts(of: unverified, content, pool) }
    let generator = try TextGenerator(try PlanFile(path: plan), pool: pool, head: head)
    // Beside its candidates, a plan's own dense head needs no second run.
    let reference = try against.map { path in
      head == .hire && Self.isSame(path, plan)
        ? generator : try TextGenerator(try PlanFile(path: path), pool: pool, head: .dense)
    }
    var options = TextScorer.Options()
    // A window and its prefix fit the smaller context.
    let context = min(generator.context, reference?.context ?? .max)
    options.window = window ?? max(1, min(options.window, context - 1))
    options.limit = tokens
    if let rows {
      options.rows = rows
      let most = generator.decoder.scoringLimit(rows)
      if rows > most {
        throw CommandError(.wrongUsage, "--rows is \(rows), accepted for '\(plan)' are \(most) and less")
      }
    }
    let isSparse = generator.plan.program.model("ffn") == "hire"
    if isSparse { generator.decoder.tallyNeurons() }
    let largest = try headK ?? generator.plan.headCount() ?? 64
    options.recallCounts = Set([1, 10, largest].filter { $0 <= largest }).sorted()
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
      plan: plan, head: head.rawValue, tokens: score.loss.count, perplexity: score.perplexity,
      perplexityStandardError: score.perplexityError, against: against,
      meanKl: score.divergence.map { .init($0) },
      top1Agreement: score.agreement.map { .init($0, isShare: true) },
      headRecall: score.recall.isEmpty
        ? nil
        : Dictionary(
          uniqueKeysWithValues: score.recall.map { ("\($0.count)", .init($0.share, isShare: true)) }),
      normalizerError: score.normalizerError.map { .init($0) },
      normalizerStandardDeviation: score.normalizerError?.standardDeviation,
      blocks: isSparse
        ? SparseBlockFacts.all(
          generator.plan.program, generator.decoder.neuronCounts.map { ($0.neurons, .init($0)) }) : nil,
      tokensPerSecond: Double(score.loss.count) / seconds, interrupted: Interruption.isRequested)
    try StandardStream.output.write(json ? try JSONText.encode(report) : text(report))
    if report.interrupted {
      throw CommandError(.interrupted, "interrupted: these are figures of the first \(report.tokens) tokens")
    }
  }

  private func scoreDrafts(of length: Int, _ content: String, _ pool: ThreadPool) throws {
    let generator = try TextGenerator(try PlanFile(path: plan), pool: pool, head: .dense, draft: .tandem)
    var options = TextScorer.Options()
    options.window = window ?? max(1, min(options.window, generator.context - 1))
    options.limit = tokens
    Interruption.catchFirst()
    var bar = ProgressBar()
    let score = try DraftScorer(generator, length: length).score(content, options) {
      bar.update("scoring", min(1, $0))
      return !Interruption.isRequested
    }
    bar.clear()
    guard score.drafted.count > 0 || Interruption.isRequested else {
      throw CommandError(
        "no token of the text is drafted: drafts begin at its second token; accepted are longer ones")
    }
    let report = DraftScoreReport(plan, length, score, interrupted: Interruption.isRequested)
    try StandardStream.output.write(json ? try JSONText.encode(report) : report.text)
    if report.interrupted {
      throw CommandError(.interrupted, "interrupted: these are figures of the first \(report.tokens) tokens")
    }
  }

  private static func isSame(_ a: String, _ b: String) -> Bool {
    URL(filePath: a).resolvingSymlinksInPath().path == URL(filePath: b).resolvingSymlinksInPath().path
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
    for (count, recall) in (report.headRecall ?? [:]).sorted(by: { Int($0.key)! < Int($1.key)! }) {
      let label = "recall of top \(count)".padding(toLength: 16, withPad: " ", startingAt: 0)
      lines.append(
        String(format: "%@ %10.3f +- %.3f %%", label, recall.mean * 100, recall.standardError * 100))
    }
    if let error = report.normalizerError, let deviation = report.normalizerStandardDeviation {
      lines.append(
        String(
          format: "normalizer error %10.6f +- %.6f nats, standard deviation %.6f", error.mean,
          error.standardError, deviation))
    }
    let table = report.blocks.map { SparseBlockFacts.table($0) } ?? ""
    return lines.joined(separator: "\n") + "\n" + table
  }
}

extension SparseBlockFacts.Density {
  fileprivate init(_ counts: NeuronTally.Counts) {
    let all = Double(max(1, counts.rows * counts.neurons))
    self.init(
      candidates: Double(counts.candidates) / all, active: Double(counts.active) / all,
      recall: counts.wanted == 0 ? 1 : Double(counts.found) / Double(counts.wanted),
      union: Dictionary(
        uniqueKeysWithValues: counts.unions.map {
          ("\($0.key)", Double($0.value.neurons) / Double(max(1, $0.value.runs * counts.neurons)))
        }))
  }
}
