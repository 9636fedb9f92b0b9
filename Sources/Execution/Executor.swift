public import Kernels
public import PlanFormat
public import Tensors

/// Runs one function of a plan: binds inputs, executes steps in order, keeps caches between runs.
///
/// Weights are used in place from the mapping. Not safe to use from two threads at once.
public final class Executor {
  /// What a run computes.
  public enum Scope: Sendable {
    /// All steps: every output is valid afterwards.
    case everything
    /// Only what caches depend on: prompt chunks whose outputs nobody reads.
    case states
  }

  public let function: Function
  public let plan: PlanFile
  private let steps: UnsafeMutableBufferPointer<PreparedStep>
  private let stateSteps: [Int]
  private let table: UnsafeMutablePointer<TensorView>
  private let memory: SlotMemory
  private let resources: Resources
  /// The caches, which other executors may share.
  public let states: StateSet
  private let boundStates: [BoundState]
  /// The inputs that the caller binds: all but the states.
  public let freeInputs: [Function.Port]
  /// Values of free inputs that have no tensor yet.
  private var unbound: Set<Int>
  /// By value, what keeps the memory of inputs alive.
  private var held: [Tensor?]
  /// The first of the steps at the end whose time is told; nil tells none.
  private var timedStep: Int?
  /// What steps from there on took in all runs (``timeProduct(before:)``).
  public private(set) var timedSeconds = 0.0

  /// A state of the function with its place in ``states``.
  private struct BoundState {
    let input: Int, output: Int, axis: Int
    let place: Int
  }

  struct PreparedStep {
    let kernel: any Kernel
    let operands: UnsafeBufferPointer<Int32>
    let results: UnsafeBufferPointer<Int32>
  }

  /// Prepares a function for running.
  ///
  /// - Parameters:
  ///   - name: the function; the first one when nil.
  ///   - pool: threads that kernels share.
  ///   - states: caches of another function of the plan, to be this function's too; its own when nil.
  ///   - isPartial: whether it may leave some of these caches as they are.
  /// - Throws: ``ExecutionError`` when the plan has no such function or needs a kernel that this build lacks, or
  ///   when ``InstructionSet/variable`` names nothing that this machine runs.
  public init(
    _ plan: PlanFile, function name: String? = nil, pool: ThreadPool, states: StateSet? = nil,
    isPartial: Bool = false
  )
    throws(ExecutionError)
  {
    do throws(KernelError) {
      _ = try InstructionSet.forced()
    } catch {
      throw ExecutionError(code: .invalidInput, message: error.message)
    }
    guard
      let function = name == nil
        ? plan.program.functions.first : plan.program.functions.first(where: { $0.name == name })
    else {
      throw ExecutionError(
        code: .invalidInput, message: "'\(plan.path)': there is no function '\(name ?? "")'")
    }
    for state in function.states where !Self.isUpdated(state, in: function) {
      throw ExecutionError(
        code: .unsupported,
        message:
          "'\(plan.path)': no kernel of this build updates cache '\(function.values[state.input].name)' in place"
      )
    }
    self.plan = plan
    self.function = function
    self.states = states ?? StateSet(of: function)
    boundStates = zip(function.states, try self.states.places(of: function, isPartial: isPartial)).map {
      BoundState(input: $0.input, output: $0.output, axis: $0.axis, place: $1)
    }
    var prepared: [PreparedStep] = []
    for step in function.steps { prepared.append(try Self.prepare(step, plan)) }
    steps = .allocate(capacity: prepared.count)
    _ = steps.initialize(from: prepared)
    stateSteps = function.steps.indices.filter { function.steps[$0].feedsState }
    resources = Resources(pool: pool)
    let stateInputs = Set(function.states.map(\.input))
    freeInputs = function.inputs.filter { !stateInputs.contains($0.value) }
    unbound = Set(freeInputs.map(\.value))
    held = Array(repeating: nil, count: function.values.count)
    table = .allocate(capacity: max(1, function.values.count))
    let empty = TensorView(UnsafeMutableRawPointer(bitPattern: 64)!, .u8, Extents(repeating: 0, count: 1))
    table.initialize(repeating: empty, count: max(1, function.values.count))
    var slots = [Int32](repeating: -1, count: function.values.count)
    for (index, value) in function.values.enumerated() {
      switch value.place {
      case .weight(let weight): table[index] = TensorView(plan.tensor(plan.program.weights[weight]))
      case .slot(let slot): slots[index] = Int32(slot)
      case .external: break
      }
    }
    memory = SlotMemory(slotOfValue: slots, slotCount: function.slotCount)
  }

  deinit {
    for step in steps {
      step.operands.deallocate()
      step.results.deallocate()
    }
    steps.deinitialize()
    steps.deallocate()
    table.deallocate()
  }

  /// Whether a step appends to the input of a state in its memory, and its output is the result.
  private static func isUpdated(_ state: Function.State, in function: Function) -> Bool {
    function.steps.contains { step in
      let updates = KernelTable.entries[step.kernel]?.updates(step.attributes) ?? []
      return updates.contains { update in
        update.operand < step.operands.count && step.operands[update.operand] == Int32(state.input)
          && update.result < step.results.count && step.results[update.result] == Int32(state.output)
          && update.axis == state.axis
      }
    }
  }

  private static func prepare(_ step: Function.Step, _ plan: PlanFile) throws(ExecutionError) -> PreparedStep
  {
    guard let entry = KernelTable.entries[step.kernel] else {
      throw ExecutionError(
        code: .unsupported,
        message:
          "'\(plan.path)': step '\(step.location)' needs the kernel '\(step.kernel)', which this build lacks")
    }
    do throws(KernelError) {
      return PreparedStep(
        kernel: try entry.prepare(step.attributes), operands: step.operands.copied(),
        results: step.results.copied())
    } catch {
      throw ExecutionError(
        code: .unsupported, message: "step '\(step.location)' (\(step.kernel)): \(error.message)")
    }
  }

  // MARK: Inputs and states

  /// Makes empty caches.
  ///
  /// - Parameters:
  ///   - capacity: positions that fit.
  ///   - sizes: values for the symbols in the other dims, such as the batch.
  public func allocateStates(capacity: Int, sizes: [String: Int]) throws(ExecutionError) {
    var allocated: [StateMemory] = []
    for state in function.states {
      let type = function.type(of: state.input)
      // Exporters may leave an extent of the cache open that what is appended to it, or the result, tells.
      let step = function.steps.first { $0.results.contains(Int32(state.output)) }
      let others = ([Int32(state.output)] + (step?.operands ?? [])).filter { $0 >= 0 }
        .map { function.type(of: Int($0)) }.filter { $0.rank == type.rank }
      var shape: [Int] = []
      for (axis, dim) in type.shape.enumerated() {
        let known = others.lazy.compactMap { $0.shape[axis].evaluated(sizes) }
        guard let extent = axis == state.axis ? 0 : dim.evaluated(sizes) ?? known.first else {
          throw ExecutionError(
            code: .invalidInput,
            message: "cache '\(function.values[state.input].name)': size '\(dim)' is not bound")
        }
        shape.append(extent)
      }
      var extents = Extents(shape)
      extents[state.axis] = capacity
      guard extents.byteCount(of: type.element) != nil else {
        throw ExecutionError(
          code: .invalidInput,
          message:
            "cache '\(function.values[state.input].name)' of \(extents.array) is more than memory can hold")
      }
      allocated.append(StateMemory(type.element, shape: shape, axis: state.axis, capacity: capacity))
    }
    place(allocated)
  }

  /// Gives the caches memory, in the order of the function's states.
  private func place(_ memories: [StateMemory]) {
    states.memories = memories
    for (state, memory) in zip(boundStates, memories) { states.memories[state.place] = memory }
  }

  /// Positions filled in the caches.
  public var stateLength: Int { states.length }

  /// Forgets all positions from `length` on.
  public func truncateStates(to length: Int) { states.truncate(to: length) }

  /// Takes the memory of temporaries that the function's bounds tell, so that runs need not.
  ///
  /// - Parameter positions: what no size exceeds, such as the capacity of the caches.
  public func reserve(positions: Int) {
    memory.reserve(function.slotByteCounts(function.bounds.mapValues { min($0, positions) }))
  }

  /// Fills the caches from tensors: their extent along the appended axis becomes the length.
  ///
  /// - Parameter extra: positions to leave room for.
  public func loadStates(_ tensors: [String: Tensor], extra: Int) throws(ExecutionError) {
    var loaded: [StateMemory] = []
    for state in function.states {
      let name = function.values[state.input].name
      let type = function.type(of: state.input)
      guard let tensor = tensors[name] else { throw .missingInput(name, "\(type)") }
      try check(name, tensor, type)
      let length = tensor.shape[state.axis]
      var memory = StateMemory(
        type.element, shape: tensor.shape, axis: state.axis, capacity: max(1, length + extra))
      memory.length = length
      StridedCopy.run(from: TensorView(tensor), to: memory.view)
      loaded.append(memory)
    }
    place(loaded)
  }

  /// Binds an input for the next runs.
  public func bind(_ name: String, _ tensor: Tensor) throws(ExecutionError) {
    let place = try place(ofInput: name)
    try check(name, tensor, function.type(of: place.value))
    unbound.remove(place.value)
    table[place.value] = TensorView(tensor)
    held[place.value] = tensor
  }

  /// An input or output, for those who bind or read it with every run.
  public struct Place: Sendable {
    let value: Int
    let element: ElementType
    /// -1 for an extent that runs decide.
    let extents: Extents
  }

  private func place(_ value: Int) -> Place {
    let type = function.type(of: value)
    return Place(
      value: value, element: type.element, extents: Extents(type.shape.map { $0.constant ?? -1 }))
  }

  public func place(ofInput name: String) throws(ExecutionError) -> Place {
    guard let port = function.inputs.first(where: { $0.name == name }) else {
      throw .unknownInput(name, accepted: function.inputs.map(\.name))
    }
    return place(port.value)
  }

  public func place(ofOutput name: String) throws(ExecutionError) -> Place {
    guard let port = function.outputs.first(where: { $0.name == name }) else {
      throw .unknownOutput(name, accepted: function.outputs.map(\.name))
    }
    return place(port.value)
  }

  /// Binds an input to memory that the caller keeps until it is bound anew. Allocates nothing.
  public func bind(_ place: Place, _ view: TensorView) throws(ExecutionError) {
    guard view.element == place.element, place.extents.accept(view.shape) else {
      throw .input(
        function.values[place.value].name, found: "\(view.element)\(view.shape.array)",
        accepted: "\(function.type(of: place.value))")
    }
    if !unbound.isEmpty { unbound.remove(place.value) }
    table[place.value] = view
  }

  private func check(_ name: String, _ tensor: Tensor, _ type: TensorType) throws(ExecutionError) {
    guard tensor.element == type.element, tensor.rank == type.rank,
      zip(tensor.shape, type.shape).allSatisfy({ $1.constant == nil || $1.constant == $0 })
    else { throw .input(name, found: "\(tensor.type)", accepted: "\(type)") }
  }

  /// Checks that sizes with one name agree over all inputs.
  public func checkSizes() throws(ExecutionError) {
    placeStates()
    var sizes: [String: Int] = [:]
    for port in function.inputs {
      let view = table[port.value]
      for (axis, dim) in function.type(of: port.value).shape.enumerated() {
        guard let symbol = dim.symbol, axis < view.rank else { continue }
        let extent = view.shape[axis]
        if let bound = sizes[symbol], bound != extent {
          throw .conflict(port.name, axis: axis, found: extent, dim: symbol, bound: bound)
        }
        sizes[symbol] = extent
      }
    }
  }

  // MARK: Running

  /// Executes the steps; caches grow by the positions that were fed.
  ///
  /// - Throws: ``ExecutionError`` naming the step. Caches keep their previous length then.
  public func run(_ scope: Scope = .everything) throws(ExecutionError) {
    if !unbound.isEmpty, let port = freeInputs.first(where: { unbound.contains($0.value) }) {
      throw .missingInput(port.name, "\(function.type(of: port.value))")
    }
    guard states.memories.count == states.forms.count else {
      throw ExecutionError(
        code: .invalidInput, message: "the caches have no memory yet: allocate or load them first")
    }
    memory.beginRun()
    placeStates()
    if scope == .everything {
      let first = timedStep ?? steps.count
      for index in 0..<first { try run(index) }
      if first < steps.count {
        let start = ContinuousClock.now
        for index in first..<steps.count { try run(index) }
        timedSeconds += (ContinuousClock.now - start) / .seconds(1)
      }
    } else {
      for index in stateSteps.indices { try run(stateSteps[index]) }
    }
    for index in boundStates.indices {
      let state = boundStates[index]
      states.memories[state.place].length = table[state.output].shape[state.axis]
    }
  }

  private func placeStates() {
    for index in boundStates.indices {
      let state = boundStates[index]
      if state.place < states.memories.count { table[state.input] = states.memories[state.place].view }
    }
  }

  /// Counts what blocks with chosen neurons do, by step; such runs are slow.
  public var tally: NeuronTally? {
    get { resources.tally }
    set { resources.tally = newValue }
  }

  private func run(_ index: Int) throws(ExecutionError) {
    resources.tally?.step = index
    let call = KernelCall(
      table: table, operandIDs: steps[index].operands, resultIDs: steps[index].results, memory: memory,
      resources: resources)
    defer { resources.reset() }
    do throws(KernelError) {
      try steps[index].kernel.run(call)
    } catch {
      let source = function.steps[index]
      throw ExecutionError(
        code: error.code == .unsupported ? .unsupported : .invalidInput,
        message: "step '\(source.location)' (\(source.kernel)): \(error.message)")
    }
  }

  /// Has runs tell what the last product before an output and all behind it take, such as the head of a decoder.
  public func timeProduct(before output: Place) {
    var value = Int32(output.value)
    while let index = function.steps.lastIndex(where: { $0.results.contains(value) }) {
      let step = function.steps[index]
      if Self.products.contains(step.kernel) {
        timedStep = index
        return
      }
      guard let next = step.operands.first, next >= 0 else { return }
      value = next
    }
  }

  private static let products: Set<String> = ["lm_head", "linear", "matmul", "hire_lm_head"]

  /// An output of the last run: valid until the next one.
  public func output(_ name: String) -> TensorView? {
    function.outputs.first { $0.name == name }.map { table[$0.value] }
  }

  /// As `output` by name.
  public func output(_ place: Place) -> TensorView { table[place.value] }

  /// Bytes of memory for temporaries.
  public var slotByteCount: Int { memory.byteCount }
}

extension Extents {
  /// Whether extents are these, where these are not -1.
  fileprivate func accept(_ found: Extents) -> Bool {
    guard found.count == count else { return false }
    for axis in 0..<count where self[axis] >= 0 && self[axis] != found[axis] { return false }
    return true
  }
}

extension [Int32] {
  /// A copy that lives until it is deallocated.
  fileprivate func copied() -> UnsafeBufferPointer<Int32> {
    let buffer = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
    _ = buffer.initialize(from: self)
    return UnsafeBufferPointer(buffer)
  }
}
