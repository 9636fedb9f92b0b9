import Execution
import Kernels
import PlanFormat
import Tensors
import Tokenization

/// Proposes what a small model draws that sees finished tokens through the large model's hidden states.
///
///     caches of the small model:   keys and values made of taps, of all finished tokens | its own, of the draft
///     keep                          keeps taps of tokens that the large model has run
///     catchUp                       refresh(taps) appends to the first part, once per token
///     propose                       runs the last token of the draft, and appends to the second
///     forget                        drops the second part
///
/// Taps of a few tokens are refreshed together, so while nothing drafts they cost next to nothing.
///
/// Tokens are drawn with the large model's options and noise, so both draw the same where their logits are alike.
///
/// - Source: Tandem Transformers, papers.md 2.2 and 2.10.
final class TandemDrafter: Drafter {
  private let small: DraftStep
  private let refresh: Executor
  private let taps: [Executor.Place]
  private let states: StateSet
  /// Positions of finished tokens, where the projections read them.
  private let finishedPlace: Executor.Place?
  private let finishedPort: DecoderPorts.Input?
  private var finished: IntegerInput?
  private var capacity = 0
  /// The token that the next proposal follows.
  private var last: TokenID = 0
  /// Tokens of one refresh at most.
  private let largest: Int
  /// Taps of the tokens that were kept last, of each tap up to ``pendingLimit`` rows.
  private var pending: [UnsafeMutablePointer<Float>] = []
  private let widths: [Int]
  private var pendingCount = 0
  private let pendingLimit: Int

  static let name = "small", refreshName = "refresh"
  /// Tokens whose taps are kept before they are refreshed.
  private static let pendingRows = 64

  static func exists(in plan: PlanFile) -> Bool {
    plan.program.functions.contains { $0.name == refreshName }
  }

  /// - Throws: ``GenerationError`` when a function is missing or not of the form that the compiler makes.
  init(_ decoder: Decoder, pool: ThreadPool) throws(GenerationError) {
    let plan = decoder.executor.plan
    let executor: Executor
    do throws(ExecutionError) {
      executor = try Executor(plan, function: Self.name, pool: pool)
      refresh = try Executor(plan, function: Self.refreshName, pool: pool, states: executor.states)
    } catch {
      throw .malformedTandem(plan.path, Self.name, error.message)
    }
    small = try DraftStep(executor)
    states = executor.states
    let vocabulary = small.phase.ports.vocabularyCount
    guard vocabulary == decoder.vocabularyCount else {
      throw .malformedTandem(
        plan.path, Self.name,
        "its vocabulary is \(vocabulary ?? 0), that of the decoder \(decoder.vocabularyCount ?? 0)")
    }
    let function = refresh.function
    let inputs = refresh.freeInputs.map { ($0.name, function.type(of: $0.value)) }
    let hidden = inputs.filter { $0.1.rank == 3 && $0.1.element == .f32 && $0.1.shape[2].constant != nil }
    let others = inputs.filter { $0.1.rank == 2 && [.i64, .i32].contains($0.1.element) }
    guard !hidden.isEmpty, others.count <= 1, hidden.count + others.count == inputs.count else {
      throw .malformedTandem(
        plan.path, Self.refreshName,
        "its inputs are \(inputs.map(\.0)); accepted are hidden states [1, rows, width] and positions [1, rows]"
      )
    }
    finishedPort = others.first.map { DecoderPorts.Input(name: $0.0, element: $0.1.element) }
    largest = hidden[0].1.shape[1].symbol.flatMap { function.bounds[$0] } ?? Int.max
    pendingLimit = min(largest, Self.pendingRows)
    widths = hidden.map { $0.1.shape[2].constant ?? 0 }
    do throws(ExecutionError) {
      let refresh = refresh
      taps = try hidden.map { state throws(ExecutionError) in try refresh.place(ofInput: state.0) }
      finishedPlace = try others.first.map { input throws(ExecutionError) in
        try refresh.place(ofInput: input.0)
      }
    } catch {
      throw GenerationError(error)
    }
    try decoder.readTaps(hidden.map(\.0))
    pending = widths.map { .allocate(capacity: max(1, pendingLimit * $0)) }
  }

  deinit { for memory in pending { memory.deallocate() } }

  func reset(capacity: Int) throws(GenerationError) {
    // The draft goes beyond what the decoder has run.
    let room = capacity + BlockLength.largest + 1
    if room > self.capacity {
      finished = finishedPort.map { IntegerInput($0, capacity: room) }
      for index in 0..<room { finished?[index] = index }
      do throws(ExecutionError) {
        try small.phase.executor.allocateStates(capacity: room, sizes: small.phase.ports.sizes)
      } catch {
        throw GenerationError(error)
      }
      small.reserve(room)
      refresh.reserve(positions: room)
      self.capacity = room
    }
    forget(from: 0)
  }

  func keep(_ tokens: [TokenID], _ kept: Int, _ decoder: Decoder) throws(GenerationError) {
    precondition(
      states.length + pendingCount + kept <= decoder.count, "a draft is open, or tokens were left out")
    if kept <= pendingLimit {
      if pendingCount + kept > pendingLimit { try catchUp() }
      for index in pending.indices {
        let row = MemoryLayout<Float>.size * widths[index]
        UnsafeMutableRawPointer(pending[index] + pendingCount * widths[index])
          .copyMemory(from: decoder.tap(index).rows(0, kept).base, byteCount: kept * row)
      }
      pendingCount += kept
      return
    }
    try catchUp()
    var start = 0
    while start < kept {
      let count = min(largest, kept - start)
      try refresh(count) { index in decoder.tap(index).rows(start, count) }
      start += count
    }
  }

  func catchUp() throws(GenerationError) {
    guard pendingCount > 0 else { return }
    let count = pendingCount
    pendingCount = 0
    try refresh(count) { index in TensorView(pending[index], .f32, Extents(1, count, widths[index])) }
  }

  /// Appends keys and values of `count` tokens.
  private func refresh(_ count: Int, _ tap: (Int) -> TensorView) throws(GenerationError) {
    do throws(ExecutionError) {
      for index in 0..<taps.count { try refresh.bind(taps[index], tap(index)) }
      if let finished, let place = finishedPlace {
        try refresh.bind(place, finished.view(states.length, count))
      }
      try refresh.run(.states)
    } catch {
      throw GenerationError(error)
    }
  }

  func begin(after token: TokenID) { last = token }

  func propose(position: Int, _ sampler: Sampler) throws(GenerationError) -> Proposal? {
    let proposal = try small.propose(after: last, length: states.length, position: position, sampler)
    if let proposal { last = proposal.token }
    return proposal
  }

  /// What the small model says of the token behind one that goes on with the draft; valid until the next run.
  func logits(behind token: TokenID) throws(GenerationError) -> UnsafeBufferPointer<Float> {
    try small.run(token, length: states.length)
    return small.logits
  }

  func forget(from count: Int) {
    states.truncate(to: count)
    pendingCount = min(pendingCount, max(0, count - states.length))
  }
}

extension TensorView {
  /// Some rows of `[1, rows, width]`.
  fileprivate func rows(_ start: Int, _ count: Int) -> TensorView {
    precondition(rank == 3 && shape[0] == 1 && strides[2] == 1 && strides[1] == shape[2], "rows lie densely")
    precondition(start + count <= shape[1], "more rows than were run")
    return TensorView(
      base + start * shape[2] * element.byteCount, element, Extents(1, count, shape[2]))
  }
}
