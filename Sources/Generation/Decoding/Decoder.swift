public import Execution
public import Kernels
public import PlanFormat
import Tensors
public import Tokenization

/// One sequence of tokens going through a decoder: feeds tokens, keeps the caches, lends the logits.
///
/// A plan may have functions for one token, for a block, and for a piece of the prompt, over the same caches:
/// each feed runs the smallest that it fits in. A graph without caches works too: it sees the whole sequence
/// again with every run.
///
/// Of a plan with a HiRE head, tokens can be fed for their candidates alone (see ``SparseLogits``).
public final class Decoder {
  /// The logits that a feed is for.
  public enum Logits: Sendable {
    /// None: only the caches matter.
    case none
    /// Those of the last token.
    case last
    /// Those of every token.
    case all
    /// Those of the candidates of every token, of at most ``candidateLimit`` tokens, and the hidden states.
    case candidates
  }

  /// Runs the function for any number of tokens.
  public let executor: Executor
  /// Size of the vocabulary, when the plan tells; otherwise known after the first run.
  public var vocabularyCount: Int? { ports.vocabularyCount }
  /// Tokens fed so far.
  public private(set) var count = 0
  /// Tokens that fit, set by ``reset(capacity:)``.
  public private(set) var capacity = 0
  /// Smallest first; the last one takes any number of tokens.
  private let phases: [DecoderPhase]
  /// The functions that compute candidates and what belongs to them; nil for the dense head.
  private let hire: HirePhases?
  /// The phase that ran last.
  private var current: DecoderPhase
  private var ids: IntegerInput
  private var mask: IntegerInput?
  private var positions: IntegerInput?
  private var converted: UnsafeMutableBufferPointer<Float> = .init(start: nil, count: 0)

  /// Prepares the functions of a plan.
  ///
  /// - Parameter head: whether candidates will be asked for; what the plan says when nil.
  /// - Throws: ``GenerationError`` when the first is no decoder, or the plan has no such head, or needs what this
  ///   build lacks.
  public init(_ plan: PlanFile, pool: ThreadPool, head: HeadMode.Kind? = nil) throws(GenerationError) {
    let mode = try HeadMode(plan, kind: head)
    do throws(ExecutionError) {
      executor = try Executor(plan, pool: pool)
    } catch {
      throw GenerationError(error)
    }
    hasStates = !executor.function.states.isEmpty
    phases = try DecoderPhase.all(executor, pool: pool)
    current = phases[phases.count - 1]
    hire = mode.kind == .hire ? try HirePhases(executor, pool: pool) : nil
    ids = IntegerInput(current.ports.ids, capacity: 0)
  }

  /// Tokens whose logits cost about as much as those of one: the weights of the head are read once for all.
  private static let smallBlock = 16

  deinit { converted.deallocate() }

  private var ports: DecoderPorts { phases[phases.count - 1].ports }
  private let hasStates: Bool

  /// - Throws: ``GenerationError`` where the plan does not tell, or the vocabulary is empty.
  func knownVocabularyCount() throws(GenerationError) -> Int {
    guard let vocabularyCount, vocabularyCount > 0 else { throw .unknownVocabulary(executor.plan.path) }
    return vocabularyCount
  }

  /// The most tokens that one ``feed(_:_:)`` takes.
  public func limit(_ chunk: Int) -> Int { ports.fixedCount ?? chunk }

  /// The most tokens of one run whose logits are those that generation would see: sparse feed-forward blocks are those
  /// of small runs alone.
  public func scoringLimit(_ chunk: Int) -> Int {
    guard executor.plan.program.model("ffn") == "hire" else { return limit(chunk) }
    return min(limit(chunk), phases.last { $0.hasAllLogits && $0.largest <= Self.smallBlock }?.largest ?? 1)
  }

  /// The most tokens of a run whose logits have the bits of single runs; 1 where no function is made for that.
  var verifiedCount: Int {
    phases.last { $0.hasAllLogits && $0.largest <= Self.smallBlock }?.largest ?? 1
  }

  /// Seconds that heads of runs took, for runs of up to ``verifiedCount`` tokens.
  private(set) var headSeconds = 0.0

  /// Has ``headSeconds`` count.
  func timeHeads() {
    for phase in phases where phase.hasAllLogits && phase.largest <= Self.smallBlock {
      phase.executor.timeProduct(before: phase.logits)
    }
  }

  /// Starts a new sequence with room for `capacity` tokens.
  public func reset(capacity: Int) throws(GenerationError) {
    if capacity > self.capacity || ids.capacity == 0 {
      ids = IntegerInput(ports.ids, capacity: capacity)
      positions = ports.positions.map { IntegerInput($0, capacity: capacity) }
      mask = ports.mask.map { IntegerInput($0, capacity: capacity) }
      for index in 0..<capacity { mask?[index] = 1 }
      // Nothing fits until there are caches.
      self.capacity = 0
      count = 0
      try rethrowing { () throws(ExecutionError) in
        try executor.allocateStates(capacity: capacity, sizes: ports.sizes)
      }
      for phase in phases { phase.executor.reserve(positions: capacity) }
      hire?.reserve(positions: capacity)
      self.capacity = capacity
    }
    truncate(to: 0)
  }

  /// Forgets all tokens from `count` on.
  public func truncate(to count: Int) {
    self.count = min(self.count, count)
    executor.truncateStates(to: self.count)
  }

  /// Bytes of memory for temporaries and caches.
  public var workingByteCount: Int {
    phases.reduce(executor.states.byteCount + (hire?.slotByteCount ?? 0)) { $0 + $1.executor.slotByteCount }
  }

  // MARK: Running

  /// Runs the tokens that come next.
  ///
  /// - Parameter logits: those that ``logits(back:)`` will be asked for.
  public func feed(_ tokens: some Collection<TokenID>, _ logits: Logits) throws(GenerationError) {
    precondition(count + tokens.count <= capacity, "more tokens than the decoder was reset for")
    let phase =
      logits == .candidates
      ? hire?.phase(tokens.count)
      : phases.first { $0.largest >= tokens.count && (logits != .all || $0.hasAllLogits) }
    guard let phase else { preconditionFailure("more tokens than a run takes") }
    // Where the head would be computed for many tokens, it is left out for all but the last.
    if logits == .last, hasStates, tokens.count > 1, phase.hasAllLogits, phase.largest > Self.smallBlock,
      phase.taps.isEmpty
    {
      try feed(tokens.dropLast(), .none)
      return try feed(tokens.suffix(1), .last)
    }
    var index = firstPlace
    for token in tokens {
      ids[index] = Int(token)
      index += 1
    }
    try run(phase, tokens.count, logits)
  }

  /// Runs the token that comes next, for its logits or those of its candidates. Allocates nothing.
  public func feed(_ token: TokenID, _ logits: Logits = .last) throws(GenerationError) {
    precondition(count < capacity, "more tokens than the decoder was reset for")
    guard let phase = logits == .candidates ? hire?.phase(1) : phases[0] else {
      preconditionFailure("there are no candidates")
    }
    ids[firstPlace] = Int(token)
    try run(phase, 1, logits)
  }

  /// Runs the tokens that come next, for the logits of all of them or those of their candidates. Allocates nothing.
  ///
  /// - Parameter tokens: at most ``verifiedCount``, or ``candidateLimit``.
  func feedBlock(_ tokens: [TokenID], _ logits: Logits = .all) throws(GenerationError) {
    precondition(count + tokens.count <= capacity, "more tokens than the decoder was reset for")
    for place in tokens.indices { ids[firstPlace + place] = Int(tokens[place]) }
    if logits == .candidates, let phase = hire?.phase(tokens.count) {
      return try run(phase, tokens.count, .candidates)
    }
    for index in phases.indices where phases[index].largest >= tokens.count && phases[index].hasAllLogits {
      return try run(phases[index], tokens.count, .all)
    }
    preconditionFailure("more tokens than a run takes")
  }

  /// Where in `ids` the next token goes: without caches it holds the whole sequence.
  private var firstPlace: Int { hasStates ? 0 : count }

  /// Runs the tokens that `ids` ends with.
  private func run(_ phase: DecoderPhase, _ added: Int, _ logits: Logits) throws(GenerationError) {
    let (index, newCount) = (firstPlace + added, count + added)
    let first = newCount - index
    guard hasStates || logits != .none else {
      count = newCount
      return
    }
    try rethrowing { () throws(ExecutionError) in
      try phase.executor.bind(phase.ids, ids.view(index))
      if let mask, let place = phase.mask { try phase.executor.bind(place, mask.view(newCount)) }
      if let positions, let place = phase.positions {
        for offset in 0..<index { positions[offset] = first + offset }
        try phase.executor.bind(place, positions.view(index))
      }
      let head = phase.executor.timedSeconds
      try phase.executor.run(logits == .none && phase.taps.isEmpty ? .states : .everything)
      headSeconds += phase.executor.timedSeconds - head
    }
    current = phase
    count = newCount
  }

  /// The logits of a token of the last ``feed(_:_:)``, valid until the next one.
  ///
  /// - Parameter back: which token, counted from the last one; 0 unless all logits were asked for.
  public func logits(back: Int = 0) throws(GenerationError) -> UnsafeBufferPointer<Float> {
    let (executor, place) = (current.executor, current.logits)
    let view = executor.output(place)
    guard view.rank > 0, view.elementCount > 0 else {
      throw .notADecoder(executor.plan.path, executor.function.name, "its logits are empty")
    }
    let extent = view.shape[view.rank - 1]
    var row = view.base
    if view.rank == 3 {
      precondition(back < view.shape[1], "the last feed was not for the logits of every token")
      row += (view.shape[1] - 1 - back) * view.strides[1] * view.element.byteCount
    }
    let stride = view.strides[view.rank - 1]
    if view.element == .f32, stride == 1 {
      return UnsafeBufferPointer(start: row.assumingMemoryBound(to: Float.self), count: extent)
    }
    if converted.count != extent {
      converted.deallocate()
      converted = .allocate(capacity: extent)
    }
    for index in 0..<extent { converted[index] = Float(NumberCoding.load(row, view.element, index * stride)) }
    return UnsafeBufferPointer(converted)
  }

  /// Whether the logits of several tokens can be held at once: as f32 in the run's own memory, not converted.
  public var lendsManyLogits: Bool {
    let view = current.executor.output(current.logits)
    return view.element == .f32 && view.rank > 0 && view.strides[view.rank - 1] == 1
  }

  // MARK: Taps

  /// Has every run compute some outputs, `[1, tokens, width]`.
  ///
  /// - Throws: ``GenerationError`` when a function for tokens has no such output.
  func readTaps(_ names: [String]) throws(GenerationError) {
    for phase in phases + (hire?.all ?? []) { try phase.readTaps(names) }
  }

  /// A tap of the tokens of the last feed, valid until the next one.
  func tap(_ index: Int) -> TensorView { current.executor.output(current.taps[index]) }

  // MARK: Chosen neurons

  /// Counts from here on what feed-forward blocks of chosen neurons do; runs are slow then.
  public func tallyNeurons() {
    for phase in phases + (hire?.all ?? []) { phase.executor.tally = NeuronTally() }
  }

  /// What the blocks have done since, in their order; empty where there are none.
  public var neuronCounts: [NeuronTally.Counts] {
    var total: [NeuronTally.Counts] = []
    for phase in phases + (hire?.all ?? []) {
      let counts = (phase.executor.tally?.counts ?? [:]).sorted { $0.key < $1.key }.map(\.value)
      for (index, own) in counts.enumerated() {
        if index < total.count { total[index].add(own) } else { total.append(own) }
      }
    }
    return total
  }

  // MARK: Candidates

  /// The head that candidates stand for, which every plan with a HiRE head has; nil for the dense head.
  public var denseHead: DenseHead? { hire?.denseHead }

  /// What proves candidates right, in plans that were made for it.
  var certifier: Certifier? { hire?.certifier }

  /// The most tokens that one feed for candidates takes.
  public var candidateLimit: Int { hire?.largest ?? 0 }

  /// The candidates of a token of the last feed, which was for them; valid until the next one.
  ///
  /// - Parameter back: which token, counted from the last one.
  public func candidates(back: Int = 0) -> SparseLogits {
    guard let hire else { preconditionFailure("there are no candidates") }
    return hire.candidates(current, back)
  }

  /// The hidden state of a token of the last feed, which was for candidates; valid until the next one.
  public func hiddenState(back: Int = 0) -> UnsafeBufferPointer<Float> {
    guard let hire else { preconditionFailure("there are no candidates") }
    return hire.hiddenState(current, back)
  }

  /// Caches hold no more than ``count`` tokens after a failure.
  private func rethrowing(_ body: () throws(ExecutionError) -> Void) throws(GenerationError) {
    do throws(ExecutionError) {
      try body()
    } catch {
      executor.truncateStates(to: count)
      throw GenerationError(error)
    }
  }
}
