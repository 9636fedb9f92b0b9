import Kernels
import PlanFormat
public import Tensors
import Tokenization

/// How well a text is predicted by a pair whose drafts are not verified: the paper's standalone form.
///
///     text         a   b   c   d   e   f   g   h        drafts of 3
///     small            b   c   d       f   g   h        sees all before a, or e, through hidden states of the large model
///     large        a               e                    behind a run over the block before
///
/// Each reads the text as it is. Windows are those of ``TextScorer``.
///
/// - Source: Tandem Transformers, papers.md 2.2 and 2.4.
public struct DraftScorer {
  public struct Score: Sendable {
    /// -log p of all tokens, in nats.
    public internal(set) var loss = RunningMean()
    /// The same of drafted tokens, and what the large model says of these.
    public internal(set) var drafted = RunningMean(), large = RunningMean()
    /// KL(large || small) where the small model predicts, in nats, and 1 where both find the same token most likely.
    public internal(set) var divergence = RunningMean(), agreement = RunningMean()
  }

  private let generator: TextGenerator
  private let drafter: TandemDrafter
  /// Tokens of a draft.
  private let length: Int
  private let vocabularyCount: Int

  /// - Throws: ``GenerationError`` when the generator has no small model, or runs of the large one take fewer tokens.
  public init(_ generator: TextGenerator, length: Int) throws(GenerationError) {
    let path = generator.plan.path
    guard let drafter = generator.drafting?.drafter as? TandemDrafter,
      let vocabularyCount = generator.decoder.vocabularyCount
    else { throw .noSmallModel(path) }
    guard length < generator.decoder.verifiedCount else {
      throw .cannotVerify(path, asked: "a draft of \(length) tokens")
    }
    (self.generator, self.drafter, self.length, self.vocabularyCount) = (
      generator, drafter, length, vocabularyCount
    )
  }

  /// Scores a text.
  ///
  /// - Parameters:
  ///   - options: window and limit count.
  ///   - progress: told the share of tokens that are done; returns whether to go on.
  public func score(
    _ text: String, _ options: TextScorer.Options, progress: (Double) -> Bool = { _ in true }
  ) throws(GenerationError) -> Score {
    let prefix = generator.tokenizer.encode("", addSpecialTokens: true)
    var tokens = generator.tokenizer.encode(text, addSpecialTokens: false)
    if let limit = options.limit { tokens = Array(tokens.prefix(limit)) }
    guard tokens.count + prefix.count > 1 else { throw .emptyText }
    var score = Score()
    // One row of the large model, and rows of the small one until the large one has run.
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: (length + 3) * vocabularyCount)
    defer { memory.deallocate() }
    for start in stride(from: 0, to: tokens.count, by: options.window) {
      let window = prefix + tokens[start..<min(start + options.window, tokens.count)]
      guard window.count <= generator.context else {
        throw .promptTooLong(generator.plan.path, window.count, context: generator.context)
      }
      try scoreWindow(window, prefix: max(1, prefix.count), memory, &score)
      if !progress(Double(start + options.window) / Double(tokens.count)) { break }
    }
    return score
  }

  private func scoreWindow(
    _ window: [TokenID], prefix: Int, _ memory: UnsafeMutablePointer<Float>, _ score: inout Score
  ) throws(GenerationError) {
    let decoder = generator.decoder
    func row(_ index: Int) -> UnsafeMutablePointer<Float> { memory + index * vocabularyCount }
    func copy(_ logits: UnsafeBufferPointer<Float>, to index: Int) {
      row(index).update(from: logits.baseAddress!, count: vocabularyCount)
    }
    func softmax(_ logits: UnsafeBufferPointer<Float>, in index: Int) -> LogSoftmaxRow {
      LogSoftmaxRow(logits, weights: row(length + 1 + index))
    }
    func loss(_ row: LogSoftmaxRow, _ position: Int) throws(GenerationError) -> Double {
      let loss = -Double(row[Int(window[position])])
      guard loss.isFinite else { throw .notANumber(token: Int(window[position]), position: position) }
      return loss
    }
    try decoder.reset(capacity: window.count)
    try drafter.reset(capacity: window.count)
    let first = Array(window.prefix(prefix))
    try decoder.feed(first, .last)
    try drafter.keep(first, first.count, decoder)
    copy(try decoder.logits(), to: length)
    var start = prefix
    while start < window.count {
      let large = UnsafeBufferPointer(start: UnsafePointer(row(length)), count: vocabularyCount)
      score.loss.add(try loss(softmax(large, in: 0), start))
      let block = Array(window[start..<min(start + length + 1, window.count)])
      try drafter.catchUp()
      for (place, token) in block.dropLast().enumerated() {
        copy(try drafter.logits(behind: token), to: place)
      }
      drafter.forget(from: start)
      try decoder.feedBlock(block)
      for place in 0..<block.count - 1 {
        let small = softmax(
          UnsafeBufferPointer(start: UnsafePointer(row(place)), count: vocabularyCount), in: 0)
        let large = softmax(try decoder.logits(back: block.count - 1 - place), in: 1)
        let own = try loss(small, start + place + 1)
        score.loss.add(own)
        score.drafted.add(own)
        score.large.add(try loss(large, start + place + 1))
        score.divergence.add(large.divergence(to: small))
        score.agreement.add(large.argmax == small.argmax ? 1 : 0)
      }
      try drafter.keep(block, block.count, decoder)
      copy(try decoder.logits(), to: length)
      start += block.count
    }
  }
}
