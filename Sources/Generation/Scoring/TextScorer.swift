public import Kernels
import PlanFormat
public import Tensors
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
///
/// Of a HiRE head the candidates are scored, with the normalizer's estimate (see ``CandidateRow`` for what probability
/// and divergence mean then). A plan that is its own reference is compared with its dense head, on the same hidden
/// states.
public struct TextScorer {
  public struct Options: Sendable {
    /// Tokens per window, the prefix not counted.
    public var window = 1023
    /// Tokens of the text to score; nil takes all.
    public var limit: Int?
    /// Tokens per run, whose logits are in memory together.
    public var rows = 64
    /// Of a HiRE head: the numbers of likeliest tokens of the reference that are looked for among candidates.
    public var recallCounts = [1, 10, 64]

    public init() {}
  }

  public struct Score: Sendable {
    /// -log p of each scored token, in nats.
    public internal(set) var loss = RunningMean()
    /// KL(reference || plan) of each position, in nats; nil without a reference.
    public internal(set) var divergence: RunningMean?
    /// 1 where reference and plan agree on the most likely token.
    public internal(set) var agreement: RunningMean?
    /// Of a HiRE head with a reference, by the number of likeliest tokens: the share of them that are candidates.
    public internal(set) var recall: [(count: Int, share: RunningMean)] = []
    /// Of a HiRE head with a reference: the estimate of the log normalizer minus what it is.
    public internal(set) var normalizerError: RunningMean?

    public var perplexity: Double { exp(loss.mean) }
    /// First order: the perplexity times the standard error of the mean loss.
    public var perplexityError: Double { perplexity * loss.standardError }
  }

  private let generator: TextGenerator
  private let reference: TextGenerator?
  private let pool: ThreadPool
  /// The dense head beside the candidates that are scored; nil where dense logits are.
  private let denseHead: DenseHead?

  /// - Parameters:
  ///   - generator: its candidates are scored if it was made for a HiRE head.
  ///   - reference: a plan with the same tokenizer, or the same object.
  public init(_ generator: TextGenerator, against reference: TextGenerator? = nil, pool: ThreadPool) {
    self.generator = generator
    self.reference = reference
    self.pool = pool
    denseHead = generator.decoder.denseHead
  }

  private var isOwnReference: Bool { reference === generator }

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
    guard tokens.count + prefix.count > 1 else { throw .emptyText }
    var score = Score()
    if reference != nil {
      (score.divergence, score.agreement) = (RunningMean(), RunningMean())
      if denseHead != nil {
        score.normalizerError = RunningMean()
        score.recall = options.recallCounts.map { ($0, RunningMean()) }
      }
    }
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
    for generator in [generator, isOwnReference ? nil : reference].compactMap({ $0 }) {
      guard window.count <= generator.context else {
        throw .promptTooLong(generator.plan.path, window.count, context: generator.context)
      }
      try generator.decoder.reset(capacity: window.count)
    }
    // Logits of row i say what token i + 1 is.
    let inputs = window.dropLast()
    let decoder = generator.decoder
    var rows =
      denseHead == nil ? decoder.scoringLimit(options.rows) : min(options.rows, decoder.candidateLimit)
    // Where neurons are chosen in blocks of tokens alone, whichever plan chooses them.
    if !isOwnReference, let reference { rows = min(rows, reference.decoder.scoringLimit(options.rows)) }
    for start in stride(from: 0, to: inputs.count, by: rows) {
      let end = min(start + rows, inputs.count)
      try decoder.feed(inputs[start..<end], denseHead == nil ? .all : .candidates)
      if !isOwnReference { try reference?.decoder.feed(inputs[start..<end], .all) }
      let scored = (start..<end).filter { $0 + 1 >= max(prefix, 1) }
      for piece in pieces(scored) {
        let rows = try self.rows(piece, of: window, feedEnd: end, options)
        for (position, row) in zip(piece, rows) {
          guard row.loss.isFinite else {
            throw .notANumber(token: Int(window[position + 1]), position: position + 1)
          }
          score.add(row)
        }
      }
      if !progress(Double(end)) { return false }
    }
    return true
  }

  /// Positions whose logits can be held together: one by one where logits are converted, as many as the dense head
  /// takes where it computes them.
  private func pieces(_ positions: [Int]) -> [[Int]] {
    var largest = positions.count
    if denseHead == nil, !generator.decoder.lendsManyLogits { largest = 1 }
    if let reference, !isOwnReference, !reference.decoder.lendsManyLogits { largest = 1 }
    if isOwnReference, let denseHead { largest = min(largest, denseHead.capacity) }
    return stride(from: 0, to: positions.count, by: max(1, largest)).map {
      Array(positions[$0..<min($0 + largest, positions.count)])
    }
  }

  // MARK: Rows

  struct Row {
    var loss = 0.0
    var divergence: Double?
    var agrees: Bool?
    var normalizerError: Double?
    var recall: [Double] = []
  }

  /// What a plan says of a token: the logits of all tokens, or of candidates.
  private enum Prediction {
    case dense(UnsafeBufferPointer<Float>)
    case candidates(SparseLogits)
  }

  private func rows(_ positions: [Int], of window: [TokenID], feedEnd: Int, _ options: Options)
    throws(GenerationError) -> [Row]
  {
    let decoder = generator.decoder
    if isOwnReference, let denseHead {
      denseHead.removeAll()
      for position in positions { denseHead.keep(decoder.hiddenState(back: feedEnd - 1 - position)) }
      try denseHead.run()
    }
    var pairs: [(plan: Prediction, reference: UnsafeBufferPointer<Float>?)] = []
    var count = 0
    for (index, position) in positions.enumerated() {
      let back = feedEnd - 1 - position
      let plan: Prediction
      if let denseHead {
        plan = .candidates(decoder.candidates(back: back))
        count = denseHead.vocabularyCount
      } else {
        let logits = try decoder.logits(back: back)
        plan = .dense(logits)
        count = logits.count
      }
      var other: UnsafeBufferPointer<Float>?
      if let denseHead, isOwnReference {
        other = denseHead.logits(index)
      } else if let reference {
        other = try reference.decoder.logits(back: back)
      }
      if let other, other.count != count {
        throw .differentVocabularies(generator.plan.path, count, other.count)
      }
      pairs.append((plan, other))
    }
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
          let token = Int(window[positions[index] + 1])
          let other = pairs[index].reference.map { LogSoftmaxRow($0, weights: memory + count) }
          switch pairs[index].plan {
          case .dense(let logits):
            rows[index] = Row(LogSoftmaxRow(logits, weights: memory), token, other)
          case .candidates(let candidates):
            let row = CandidateRow(candidates, vocabularyCount: count)
            rows[index] = Row(row, token, other)
            if let logits = pairs[index].reference {
              rows[index].recall = row.recall(options.recallCounts, of: logits)
            }
          }
        }
      }
    }
    return rows
  }
}

extension TextScorer.Row {
  fileprivate init(_ row: LogSoftmaxRow, _ token: Int, _ reference: LogSoftmaxRow?) {
    loss = -Double(row[token])
    divergence = reference.map { $0.divergence(to: row) }
    agrees = reference.map { $0.argmax == row.argmax }
  }

  fileprivate init(_ row: CandidateRow, _ token: Int, _ reference: LogSoftmaxRow?) {
    loss = row.loss(token)
    divergence = reference.map { row.divergence(from: $0) }
    agrees = reference.map { $0.argmax == row.argmax }
    normalizerError = reference.map { row.normalizerError($0) }
  }
}

extension TextScorer.Score {
  fileprivate mutating func add(_ row: TextScorer.Row) {
    loss.add(row.loss)
    if let value = row.divergence { divergence?.add(value) }
    if let agrees = row.agrees { agreement?.add(agrees ? 1 : 0) }
    if let value = row.normalizerError { normalizerError?.add(value) }
    for (index, share) in row.recall.enumerated() { recall[index].share.add(share) }
  }
}
