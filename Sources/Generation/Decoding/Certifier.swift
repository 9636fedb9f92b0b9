import Execution
import Kernels
import PlanFormat
import Tensors

/// The functions of a plan that prove candidates right: the tokens whose logits may reach a threshold by
/// bounds that hold for the whole vocabulary, with exact logits.
final class Certifier {
  /// The form of a threshold alone, and with a shift of every token.
  private let plain: Form, shifted: Form
  private let width: Int
  let vocabularyCount: Int
  private let threshold = TensorStorage(byteCount: 4)

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
    func extent(_ name: String) -> Int? {
      function.inputs.first { $0.name == name }.flatMap { function.type(of: $0.value).shape.last?.constant }
    }
    guard let width = extent("hidden"), let vocabularyCount = extent("shift") else {
      throw .malformedHireHead(plan.path, Self.shiftedName, "its inputs have no known extents")
    }
    (self.width, self.vocabularyCount) = (width, vocabularyCount)
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

  /// Finds the tokens that may reach a bound. Allocates nothing.
  ///
  /// - Parameters:
  ///   - hidden: the hidden state that the candidates came from.
  ///   - shifts: those of the whole vocabulary, for a bound with shifts.
  /// - Returns: how many they are, and, unless there are more than fit, the tokens; valid until the next run.
  func survivors(
    _ hidden: UnsafeBufferPointer<Float>, _ bound: DrawBound, shifts: UnsafeMutableBufferPointer<Float>
  ) throws(GenerationError) -> (count: Int, tokens: SparseLogits?) {
    precondition(hidden.count == width, "a hidden state of another model")
    let form = bound.isShifted ? shifted : plain
    threshold.base.storeBytes(of: bound.threshold, as: Float.self)
    do throws(ExecutionError) {
      try form.executor.bind(form.hidden, Self.view(hidden.baseAddress!, Extents(1, 1, width)))
      try form.executor.bind(form.threshold, TensorView(threshold.base, .f32, Extents(1, 1)))
      if let shift = form.shift {
        precondition(shifts.count == vocabularyCount, "one shift per token of the vocabulary")
        try form.executor.bind(
          shift,
          TensorView(UnsafeMutableRawPointer(shifts.baseAddress!), .f32, Extents(1, 1, vocabularyCount)))
      }
      try form.executor.run()
    } catch {
      throw GenerationError(error)
    }
    let count = Int(form.executor.output(form.count).base.load(as: Int32.self))
    let (logits, ids) = (form.executor.output(form.logits), form.executor.output(form.ids))
    guard count > 0, count <= logits.shape[2] else { return (count, nil) }
    return (
      count,
      SparseLogits(
        logits: UnsafeBufferPointer(start: logits.base.assumingMemoryBound(to: Float.self), count: count),
        tokens: UnsafeBufferPointer(start: ids.base.assumingMemoryBound(to: Int32.self), count: count),
        logNormalizer: 0)
    )
  }

  /// Inputs are only read.
  private static func view(_ base: UnsafePointer<Float>, _ shape: Extents) -> TensorView {
    TensorView(UnsafeMutableRawPointer(mutating: base), .f32, shape)
  }

  func reserve() {
    plain.executor.reserve(positions: 1)
    shifted.executor.reserve(positions: 1)
  }

  var slotByteCount: Int { plain.executor.slotByteCount + shifted.executor.slotByteCount }
}
