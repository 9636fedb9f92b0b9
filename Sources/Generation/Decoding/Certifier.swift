import Execution
import Kernels
import PlanFormat
import Tensors

/// The functions of a plan that prove tokens right: for hidden states that are kept, the tokens whose logits may reach
/// a threshold by bounds that hold for the whole vocabulary, with exact logits.
final class Certifier {
  /// The form of thresholds alone, and with a shift of every token.
  private let plain: Form, shifted: Form
  private let width: Int
  let vocabularyCount: Int
  /// Hidden states of one run.
  let capacity: Int
  /// What was kept for hidden states, in their order; all have shifts or none has.
  private(set) var bounds: [DrawBound] = []
  private let thresholds: TensorStorage, shifts: TensorStorage

  static let name = "certify", shiftedName = "certify_shifted"

  private struct Form {
    let executor: Executor
    let hidden: Executor.Place, threshold: Executor.Place, shift: Executor.Place?
    let logits: Executor.Place, ids: Executor.Place, count: Executor.Place
  }

  /// - Throws: ``GenerationError`` when a function is not of the form that the compiler makes.
  init(_ plan: PlanFile, pool: ThreadPool) throws(GenerationError) {
    plain = try Self.form(Self.name, plan, pool)
    shifted = try Self.form(Self.shiftedName, plan, pool)
    let function = shifted.executor.function
    func shape(_ name: String) -> [Dim] {
      function.inputs.first { $0.name == name }.map { function.type(of: $0.value).shape } ?? []
    }
    guard let width = shape("hidden").last?.constant, let vocabularyCount = shape("shift").last?.constant,
      let rows = shape("hidden").dropFirst().first,
      let capacity = rows.constant ?? rows.symbol.flatMap({ function.bounds[$0] })
    else {
      throw .malformedHireHead(plan.path, Self.shiftedName, "its inputs have no known extents")
    }
    (self.width, self.vocabularyCount, self.capacity) = (width, vocabularyCount, capacity)
    thresholds = TensorStorage(byteCount: capacity * 4)
    shifts = TensorStorage(byteCount: capacity * vocabularyCount * 4)
    bounds.reserveCapacity(capacity)
  }

  /// Whether a plan has such functions.
  static func exists(in plan: PlanFile) -> Bool {
    plan.program.functions.contains { $0.name == Self.name }
  }

  private static func form(_ name: String, _ plan: PlanFile, _ pool: ThreadPool) throws(GenerationError)
    -> Form
  {
    do throws(ExecutionError) {
      let executor = try Executor(plan, function: name, pool: pool)
      return Form(
        executor: executor, hidden: try executor.place(ofInput: "hidden"),
        threshold: try executor.place(ofInput: "threshold"),
        shift: name == shiftedName ? try executor.place(ofInput: "shift") : nil,
        logits: try executor.place(ofOutput: "survivor_logits"),
        ids: try executor.place(ofOutput: "survivor_ids"),
        count: try executor.place(ofOutput: "survivor_count"))
    } catch {
      throw .malformedHireHead(plan.path, name, error.message)
    }
  }

  // MARK: Bounds

  /// Forgets all bounds.
  func removeAll() { bounds.removeAll(keepingCapacity: true) }

  /// Tells and keeps what the next token must reach, from the candidates of the next hidden state.
  ///
  /// - Returns: false where there is no bound.
  func keepBound(_ sampler: Sampler, _ candidates: SparseLogits, position: Int) throws(GenerationError)
    -> Bool
  {
    precondition(
      bounds.count < capacity && sampler.vocabularyCount == vocabularyCount, "a bound more than fits")
    let row = shifts.base.assumingMemoryBound(to: Float.self) + bounds.count * vocabularyCount
    guard let bound = try sampler.bound(candidates, position: position, shifts: row) else { return false }
    thresholds.base.storeBytes(of: bound.threshold, toByteOffset: bounds.count * 4, as: Float.self)
    bounds.append(bound)
    return true
  }

  // MARK: Tokens

  /// Finds the tokens that may reach the bounds that are kept. Allocates nothing.
  ///
  /// - Parameter head: keeps the hidden states that they belong to.
  func run(_ head: DenseHead) throws(GenerationError) {
    let (form, count) = (form, bounds.count)
    precondition(count > 0 && count == head.count, "one bound per hidden state")
    do throws(ExecutionError) {
      try form.executor.bind(form.hidden, head.kept)
      try form.executor.bind(form.threshold, TensorView(thresholds.base, .f32, Extents(1, count)))
      if let shift = form.shift {
        try form.executor.bind(shift, TensorView(shifts.base, .f32, Extents(1, count, vocabularyCount)))
      }
      try form.executor.run()
    } catch {
      throw GenerationError(error)
    }
  }

  /// The tokens that may reach a bound, of the last run; the first that was kept is 0.
  ///
  /// - Returns: how many they are, and, unless there are more than fit, the tokens; valid until the next run.
  func survivors(_ index: Int) -> (count: Int, tokens: SparseLogits?) {
    let executor = form.executor
    let (logits, ids) = (executor.output(form.logits), executor.output(form.ids))
    let limit = logits.shape[2]
    let count = Int(executor.output(form.count).base.assumingMemoryBound(to: Int32.self)[index])
    guard count > 0, count <= limit else { return (count, nil) }
    func row<Element>(_ view: TensorView, _ type: Element.Type) -> UnsafeBufferPointer<Element> {
      precondition(view.strides[1] == limit && view.strides[2] == 1, "rows lie densely")
      return UnsafeBufferPointer(start: view.base.assumingMemoryBound(to: type) + index * limit, count: count)
    }
    return (
      count, SparseLogits(logits: row(logits, Float.self), tokens: row(ids, Int32.self), logNormalizer: 0)
    )
  }

  private var form: Form { bounds[0].isShifted ? shifted : plain }

  func reserve() {
    plain.executor.reserve(positions: capacity)
    shifted.executor.reserve(positions: capacity)
  }

  var slotByteCount: Int { plain.executor.slotByteCount + shifted.executor.slotByteCount }
}
