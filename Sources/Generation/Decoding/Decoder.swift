public import Execution
public import Kernels
public import PlanFormat
import Tensors
public import Tokenization

/// One sequence of tokens going through a decoder: feeds tokens, keeps the caches, lends the logits.
///
/// A graph without caches works too: it sees the whole sequence again with every run.
public final class Decoder {
  public let executor: Executor
  /// Size of the vocabulary, when the plan tells; otherwise known after the first run.
  public var vocabularyCount: Int? { ports.vocabularyCount }
  /// Tokens fed so far.
  public private(set) var count = 0
  /// Tokens that fit, set by ``reset(capacity:)``.
  public private(set) var capacity = 0
  private let ports: DecoderPorts
  private var ids: IntegerInput
  private var mask: IntegerInput?
  private var positions: IntegerInput?
  private var converted: UnsafeMutableBufferPointer<Float> = .init(start: nil, count: 0)

  /// - Throws: ``GenerationError`` when the function is no decoder.
  public init(_ executor: Executor) throws(GenerationError) {
    self.executor = executor
    ports = try DecoderPorts(executor)
    ids = IntegerInput(ports.ids, capacity: 0)
  }

  /// Prepares the first function of a plan.
  ///
  /// - Throws: ``GenerationError`` when it is no decoder or needs what this build lacks.
  public convenience init(_ plan: PlanFile, pool: ThreadPool) throws(GenerationError) {
    let executor: Executor
    do throws(ExecutionError) {
      executor = try Executor(plan, pool: pool)
    } catch {
      throw GenerationError(error)
    }
    try self.init(executor)
  }

  deinit { converted.deallocate() }

  private var hasStates: Bool { !executor.function.states.isEmpty }

  /// The most tokens that one ``feed(_:_:)`` takes.
  public func limit(_ chunk: Int) -> Int { ports.fixedCount ?? chunk }

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
      self.capacity = capacity
    }
    truncate(to: 0)
  }

  /// Forgets all tokens from `count` on.
  public func truncate(to count: Int) {
    self.count = min(self.count, count)
    executor.truncateStates(to: self.count)
  }

  /// Runs the tokens that come next.
  ///
  /// - Parameter scope: `.states` when nobody will read the logits of these tokens.
  public func feed(_ tokens: some Collection<TokenID>, _ scope: Executor.Scope) throws(GenerationError) {
    precondition(count + tokens.count <= capacity, "more tokens than the decoder was reset for")
    let first = hasStates ? count : 0
    // Without caches, `ids` holds the whole sequence.
    var index = hasStates ? 0 : count
    for token in tokens {
      ids[index] = Int(token)
      index += 1
    }
    let newCount = count + tokens.count
    guard hasStates || scope == .everything else {
      count = newCount
      return
    }
    try rethrowing { () throws(ExecutionError) in
      try executor.bind(ports.ids.name, ids.tensor(index))
      if let mask, let port = ports.mask { try executor.bind(port.name, mask.tensor(newCount)) }
      if let port = ports.positions {
        for offset in 0..<index { positions?[offset] = first + offset }
        if let positions { try executor.bind(port.name, positions.tensor(index)) }
      }
      try executor.run(scope)
    }
    count = newCount
  }

  /// The logits of a token of the last ``feed(_:_:)``, valid until the next one.
  ///
  /// - Parameter back: which token, counted from the last one.
  public func logits(back: Int = 0) throws(GenerationError) -> UnsafeBufferPointer<Float> {
    guard let view = executor.output(ports.logits), let extent = view.shape.array.last, extent > 0 else {
      throw .notADecoder(executor.plan.path, executor.function.name, "its logits are empty")
    }
    var row = view.base
    if view.rank == 3 { row += (view.shape[1] - 1 - back) * view.strides[1] * view.element.byteCount }
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
