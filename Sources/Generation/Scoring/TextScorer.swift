public import Kernels
import PlanFormat
import Tokenization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How well a plan predicts a text.
///
/// The text is cut into windows of tokens, each preceded by the tokenizer's usual prefix such as `<bos>`. Every token
/// of a window is scored given the prefix and what stands before it in the window; without a prefix, all but the first.
///
///     perplexity = exp(mean of -log p(token))
///
/// With a reference, the divergence KL(reference || plan) and how often both find the same token most likely.
public struct TextScorer {
  public struct Options: Sendable {
    /// Tokens per window, the prefix not counted.
    public var window = 1023
    /// Tokens of the text to score; nil takes all.
    public var limit: Int?
    /// Tokens per run, whose logits are in memory together.
    public var rows = 64

    public init() {}
  }

  public struct Score: Sendable {
    /// -log p of each scored token, in nats.
    public internal(set) var loss = RunningMean()
    /// KL(reference || plan) of each position, in nats; nil without a reference.
    public internal(set) var divergence: RunningMean?
    /// 1 where reference and plan agree on the most likely token.
    public internal(set) var agreement: RunningMean?

    public var perplexity: Double { exp(loss.mean) }
    /// First order: the perplexity times the standard error of the mean loss.
    public var perplexityError: Double { perplexity * loss.standardError }
  }

  private let generator: TextGenerator
  private let reference: TextGenerator?
  private let pool: ThreadPool

  /// - Parameter reference: a plan with the same tokenizer.
  public init(_ generator: TextGenerator, against reference: TextGenerator? = nil, pool: ThreadPool) {
    self.generator = generator
    self.reference = reference
    self.pool = pool
  }

  /// Scores a text.
  ///
  /// - Parameter progress: told the share of tokens that are done; returns whether to go on.
  /// - Throws: ``GenerationError`` when a window does not fit the plan's context, or plans differ in vocabulary.
  public func score(_ text: String, _ options: Options, progress: (Double) -> Bool = { _ in true })
    throws(GenerationError) -> Score
  {
    let prefix = generator.tokenizer.encode("", addSpecialTokens: true)
    var tokens = generator.tokenizer.encode(text, addSpecialTokens: false)
    if let limit = options.limit { tokens = Array(tokens.prefix(limit)) }
    guard tokens.count + prefix.count > 1 else { throw .emptyText(generator.plan.path) }
    var score = Score()
    if reference != nil { (score.divergence, score.agreement) = (RunningMean(), RunningMean()) }
    for start in stride(from: 0, to: tokens.count, by: options.window) {
      let window = prefix + tokens[start..<min(start + options.window, tokens.count)]
      let isGoingOn = try scoreWindow(window, prefix: prefix.count, options, &score) {
        progress((Double(start) + $0) / Double(tokens.count))
      }
      if !isGoingOn { break }
    }
    return score
  }

  private func scoreWindow(
    _ window: [TokenID], prefix: Int, _ options: Options, _ score: inout Score, _ progress: (Double) -> Bool
  ) throws(GenerationError) -> Bool {
    for generator in [generator, reference].compactMap({ $0 }) {
      guard window.count <= generator.context else {
        throw .promptTooLong(generator.plan.path, window.count, context: generator.context)
      }
      try generator.decoder.reset(capacity: window.count)
    }
    // Logits of row i say what token i + 1 is.
    let inputs = window.dropLast()
    let rows = generator.decoder.limit(options.rows)
    for start in stride(from: 0, to: inputs.count, by: rows) {
      let end = min(start + rows, inputs.count)
      for decoder in [generator.decoder, reference?.decoder].compactMap({ $0 }) {
        try decoder.feed(inputs[start..<end], .all)
      }
      let scored = (start..<end).filter { $0 + 1 >= max(prefix, 1) }
      let lendsMany = [generator, reference].allSatisfy { $0?.decoder.lendsManyLogits ?? true }
      for (index, row) in try self.rows(scored, of: window, feedEnd: end, together: lendsMany).enumerated() {
        guard row.loss.isFinite else {
          throw .notANumber(token: Int(window[scored[index] + 1]), position: scored[index] + 1)
        }
        score.loss.add(row.loss)
        if let divergence = row.divergence { score.divergence?.add(divergence) }
        if let agrees = row.agrees { score.agreement?.add(agrees ? 1 : 0) }
      }
      if !progress(Double(end)) { return false }
    }
    return true
  }

  // MARK: Rows

  private struct Row {
    var loss = 0.0
    var divergence: Double?
    var agrees: Bool?
  }

  private func rows(_ positions: [Int], of window: [TokenID], feedEnd: Int, together: Bool)
    throws(GenerationError) -> [Row]
  {
    if !together, positions.count > 1 {
      var rows: [Row] = []
      for position in positions {
        rows += try self.rows([position], of: window, feedEnd: feedEnd, together: false)
      }
      return rows
    }
    var pairs: [(plan: UnsafeBufferPointer<Float>, reference: UnsafeBufferPointer<Float>?)] = []
    for position in positions {
      let back = feedEnd - 1 - position
      let logits = try generator.decoder.logits(back: back)
      let other = try reference.map { reference throws(GenerationError) in
        try reference.decoder.logits(back: back)
      }
      if let other, other.count != logits.count {
        throw .differentVocabularies(generator.plan.path, logits.count, other.count)
      }
      pairs.append((logits, other))
    }
    guard let count = pairs.first?.plan.count else { return [] }
    var rows = [Row](repeating: Row(), count: pairs.count)
    let width = reference == nil ? count : 2 * count
    // One stripe of scratch per task; a task takes every n-th row.
    let tasks = min(pool.threadCount, pairs.count)
    let scratch = UnsafeMutablePointer<Float>.allocate(capacity: tasks * width)
    defer { scratch.deallocate() }
    rows.withUnsafeMutableBufferPointer { rows in
      nonisolated(unsafe) let (rows, scratch, pairs) = (rows, scratch, pairs)
      pool.forEach(tasks) { task in
        for index in stride(from: task, to: pairs.count, by: tasks) {
          let memory = scratch + task * width
          let plan = LogSoftmaxRow(pairs[index].plan, weights: memory)
          rows[index].loss = -Double(plan[Int(window[positions[index] + 1])])
          guard let other = pairs[index].reference else { continue }
          let reference = LogSoftmaxRow(other, weights: memory + count)
          rows[index].divergence = reference.divergence(to: plan)
          rows[index].agrees = reference.argmax == plan.argmax
        }
      }
    }
    return rows
  }
}
