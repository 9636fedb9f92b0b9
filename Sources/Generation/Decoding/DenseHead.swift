import Execution
import Kernels
import PlanFormat
import Tensors

/// The dense head of a plan alone: the logits of hidden states that were kept, in one pass over its weights.
public final class DenseHead {
  /// Hidden states that can be kept.
  public let capacity: Int
  public let vocabularyCount: Int
  /// Hidden states kept.
  public private(set) var count = 0
  private let executor: Executor
  private let input: Executor.Place
  private let output: Executor.Place
  private let width: Int
  private let memory: TensorStorage

  static let name = "head"

  /// - Throws: ``GenerationError`` when the plan has no function `head` from `hidden` to logits.
  init(_ plan: PlanFile, pool: ThreadPool) throws(GenerationError) {
    do throws(ExecutionError) {
      executor = try Executor(plan, function: Self.name, pool: pool)
      input = try executor.place(ofInput: "hidden")
      output = try executor.place(ofOutput: executor.function.outputs.first?.name ?? "logits")
    } catch {
      throw .malformedHireHead(plan.path, Self.name, error.message)
    }
    let function = executor.function
    let types = [function.inputs[0], function.outputs[0]].map { function.type(of: $0.value) }
    guard function.inputs.count == 1, types.allSatisfy({ $0.element == .f32 && $0.rank == 3 }),
      let width = types[0].shape[2].constant, let vocabularyCount = types[1].shape[2].constant
    else {
      throw .malformedHireHead(
        plan.path, Self.name, "it turns \(types[0]) into \(types[1]), accepted is f32 of rank 3")
    }
    (self.width, self.vocabularyCount) = (width, vocabularyCount)
    capacity = types[0].shape[1].constant ?? types[0].shape[1].symbol.flatMap { function.bounds[$0] } ?? 1
    memory = TensorStorage(byteCount: capacity * width * 4)
  }

  /// Forgets all hidden states.
  public func removeAll() { count = 0 }

  /// Keeps a copy of a hidden state.
  public func keep(_ hidden: UnsafeBufferPointer<Float>) {
    precondition(
      count < capacity && hidden.count == width, "a hidden state more than fits, or of another model")
    (memory.base + count * width * 4).copyMemory(from: hidden.baseAddress!, byteCount: width * 4)
    count += 1
  }

  /// The hidden states that are kept, `[1, count, width]`.
  var kept: TensorView { TensorView(memory.base, .f32, Extents(1, count, width)) }

  /// Computes the logits of all hidden states that are kept. Allocates nothing.
  public func run() throws(GenerationError) {
    do throws(ExecutionError) {
      try executor.bind(input, kept)
      try executor.run()
    } catch {
      throw GenerationError(error)
    }
  }

  /// The logits of a hidden state of the last run, valid until the next one; the first kept is 0.
  public func logits(_ index: Int) -> UnsafeBufferPointer<Float> {
    let view = executor.output(output)
    precondition(view.strides[2] == 1, "rows lie densely")
    return UnsafeBufferPointer(
      start: view.base.assumingMemoryBound(to: Float.self) + index * view.strides[1], count: view.shape[2])
  }

  func reserve() { executor.reserve(positions: capacity) }

  var slotByteCount: Int { executor.slotByteCount }
}
