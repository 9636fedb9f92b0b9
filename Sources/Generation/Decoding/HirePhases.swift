import Execution
import Kernels
import PlanFormat
import Tensors

/// Outputs of a function for candidates.
struct HirePorts {
  /// f32 `[1, sequence, candidates]`.
  static let logits = "candidate_logits"
  /// i32 `[1, sequence, candidates]`.
  static let tokens = "candidate_ids"
  /// f32 `[1, sequence]`.
  static let normalizer = "log_normalizer"
  /// f32 `[1, sequence, width]`: what the head would have turned into logits.
  static let hidden = "hidden"

  let tokens: Executor.Place, normalizer: Executor.Place, hidden: Executor.Place

  init(_ executor: Executor) throws(GenerationError) {
    func place(_ name: String, _ element: ElementType, rank: Int) throws(GenerationError) -> Executor.Place {
      let function = executor.function
      guard let port = function.outputs.first(where: { $0.name == name }) else {
        throw .malformedHireHead(executor.plan.path, function.name, "it has no output '\(name)'")
      }
      let type = function.type(of: port.value)
      guard type.element == element, type.rank == rank else {
        throw .malformedHireHead(
          executor.plan.path, function.name,
          "its output '\(name)' is \(type), accepted is \(element) of rank \(rank)")
      }
      do throws(ExecutionError) {
        return try executor.place(ofOutput: name)
      } catch {
        throw GenerationError(error)
      }
    }
    _ = try place(Self.logits, .f32, rank: 3)
    tokens = try place(Self.tokens, .i32, rank: 3)
    normalizer = try place(Self.normalizer, .f32, rank: 2)
    hidden = try place(Self.hidden, .f32, rank: 3)
  }
}

/// The functions of a plan with a HiRE head: candidates of one token or a block, and the dense head alone.
struct HirePhases {
  private let phases: [(phase: DecoderPhase, ports: HirePorts)]
  var all: [DecoderPhase] { phases.map(\.phase) }
  let denseHead: DenseHead
  /// What proves candidates right; nil where the plan was not made for it.
  let certifier: Certifier?

  fileprivate static let names = ["decode_hire", "block_hire"]

  /// - Throws: ``GenerationError`` when a function is missing or not of this form.
  init(_ main: Executor, pool: ThreadPool) throws(GenerationError) {
    var phases: [(phase: DecoderPhase, ports: HirePorts)] = []
    for phase in try DecoderPhase.named(Self.names, main, pool: pool) {
      phases.append((phase, try HirePorts(phase.executor)))
    }
    guard !phases.isEmpty else {
      throw .malformedHireHead(main.plan.path, Self.names[0], "there is none")
    }
    self.phases = phases
    denseHead = try DenseHead(main.plan, pool: pool)
    certifier = Certifier.exists(in: main.plan) ? try Certifier(main.plan, pool: pool) : nil
  }

  /// The most tokens of a run.
  var largest: Int { phases[phases.count - 1].phase.largest }

  /// The smallest phase that takes so many tokens.
  func phase(_ count: Int) -> DecoderPhase? {
    for index in phases.indices where phases[index].phase.largest >= count { return phases[index].phase }
    return nil
  }

  func reserve(positions: Int) {
    for (phase, _) in phases { phase.executor.reserve(positions: positions) }
    denseHead.reserve()
    certifier?.reserve()
  }

  var slotByteCount: Int {
    phases.reduce(denseHead.slotByteCount + (certifier?.slotByteCount ?? 0)) {
      $0 + $1.phase.executor.slotByteCount
    }
  }

  // MARK: Results

  func candidates(_ phase: DecoderPhase, _ back: Int) -> SparseLogits {
    Self.candidates(phase, ports(of: phase), back)
  }

  static func candidates(_ phase: DecoderPhase, _ ports: HirePorts, _ back: Int) -> SparseLogits {
    let executor = phase.executor
    let normalizers = executor.output(ports.normalizer).row(back, of: 1, as: Float.self)
    return SparseLogits(
      logits: executor.output(phase.logits).row(back, of: 1, as: Float.self),
      tokens: executor.output(ports.tokens).row(back, of: 1, as: Int32.self),
      logNormalizer: normalizers[0])
  }

  func hiddenState(_ phase: DecoderPhase, _ back: Int) -> UnsafeBufferPointer<Float> {
    phase.executor.output(ports(of: phase).hidden).row(back, of: 1, as: Float.self)
  }

  private func ports(of phase: DecoderPhase) -> HirePorts {
    for index in phases.indices where phases[index].phase === phase { return phases[index].ports }
    preconditionFailure("the last feed was not for candidates")
  }
}

extension TensorView {
  /// The elements behind one place of an axis, counted from its end; the axes before it have one place, those
  /// behind it lie densely.
  fileprivate func row<Element: BitwiseCopyable>(_ back: Int, of axis: Int, as: Element.Type)
    -> UnsafeBufferPointer<Element>
  {
    precondition(back < shape[axis], "fewer tokens were fed")
    precondition(rank == axis + 1 || strides[rank - 1] == 1, "rows lie densely")
    let start = base.assumingMemoryBound(to: Element.self) + (shape[axis] - 1 - back) * strides[axis]
    return UnsafeBufferPointer(start: start, count: rank == axis + 1 ? 1 : shape[rank - 1])
  }
}

extension Decoder {
  /// Names of the functions that a plan has for the sake of a HiRE head.
  public static let hireFunctions = Set(
    HirePhases.names + [DenseHead.name, Certifier.name, Certifier.shiftedName])
}
