public import PlanFormat
import Tensors

/// What a plan makes of a model: what was recognized in it, what decoding runs, reads and needs.
///
/// Counts are those of the function that decodes one token, or of the first where there is none for that.
public struct PlanFacts: Sendable, Encodable {
  public struct Layers: Sendable, Encodable {
    public let count: Int
    /// Kernels of one layer in order.
    public let steps: [String]
  }

  public struct Functions: Sendable, Encodable {
    public let name: String
    public let steps: Int
  }

  public struct Caches: Sendable, Encodable {
    /// Appended to in their own memory.
    public let inPlace: Int
    /// Passed in and out with every run.
    public let copied: Int
    /// Different types of the numbers in those in place.
    public let elements: [String]
  }

  /// Bytes that decoding a token reads.
  public struct Traffic: Sendable, Encodable {
    public let weights: Int
    public let caches: Int
    /// The length of the caches that this holds for.
    public let positions: Int

    public var total: Int { weights + caches }

    /// - Parameters:
    ///   - positions: tokens in the caches, the new one included.
    ///   - usesCandidates: whether tokens are drawn by the HiRE head, in plans that have one.
    ///   - certifies: whether each is proven by bounds; nil, as converted.
    public init(_ program: Program, positions: Int, usesCandidates: Bool = true, certifies: Bool? = nil) {
      let function = usesCandidates ? program.decoding : program.decodingDensely
      let certifies = usesCandidates && certifies ?? (program.model("exact") == "certified")
      let certify = program.functions.first { certifies && $0.name == "certify" }
      weights = ([function] + [certify].compactMap { $0 }).reduce(0) {
        $0 + PlanTraffic(program, $1).bytesPerToken
      }
      caches = function.cacheByteCount(positions: positions, insideWindows: true)
      self.positions = positions
    }
  }

  /// Bytes that a plan in use needs, at most.
  public struct Memory: Sendable, Encodable {
    public let weights: Int
    /// Caches of the plan's context.
    public let caches: Int
    /// Temporaries of all functions whose sizes are bounded; nil when there is none.
    public let temporaries: Int?
    public let context: Int

    public var total: Int { weights + caches + (temporaries ?? 0) }
  }

  public let functions: [Functions]
  public let layers: Layers?
  public let attention: AttentionFacts
  public let feedForward: FeedForwardFacts
  public let normalization: NormalizationFacts
  public let head: HeadFacts
  public let embedding: EmbeddingFacts
  public let caches: Caches
  /// Steps of the decode loop by kernel that is none of a decoder's own, most frequent first.
  public let generalSteps: [ModuleSummary.OperatorCount]
  /// By format, most bytes first.
  public let weights: [ModuleSummary.ConstantGroup]
  public let traffic: Traffic
  public let memory: Memory

  /// Traffic is told for caches of this length, or of the context when that is shorter.
  private static let trafficPositions = 512
  private static let decoderKernels: Set<String> = [
    "embedding", "linear", "rms_normalization", "layer_normalization", "residual_normalization",
    "self_attention",
    "feed_forward", "hire_feed_forward", "lm_head", "hire_lm_head",
  ]

  public init(_ program: Program) {
    let function = program.decoding
    let context = program.model("context").flatMap { Int($0) } ?? 0
    functions = program.functions.map { Functions(name: $0.name, steps: $0.steps.count) }
    let kernels = function.steps.map(\.kernel)
    layers = RepeatedRun(in: kernels).map { run in
      Layers(count: run.count, steps: Array(kernels[run.start..<run.start + run.length]))
    }
    attention = AttentionFacts(function)
    feedForward = FeedForwardFacts(function)
    normalization = NormalizationFacts(function)
    head = HeadFacts(
      function, prefill: program.functions.first { $0.name == "prefill" },
      certify: program.functions.first { $0.name == "certify" })
    embedding = EmbeddingFacts(function)
    let elements = Set(function.states.map { function.type(of: $0.input).element.rawValue })
    caches = Caches(
      inPlace: function.states.count, copied: Self.copiedCacheCount(function), elements: elements.sorted())
    let general = function.steps.filter { step in
      !Self.decoderKernels.contains(step.kernel) && !function.isResidualAddition(step)
    }
    generalSteps = Dictionary(grouping: general, by: \.kernel)
      .map { ModuleSummary.OperatorCount(name: $0.key, count: $0.value.count) }
      .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    weights = ModuleSummary.ConstantGroup.groups(program)
    traffic = Traffic(program, positions: min(Self.trafficPositions, context))
    let bounded = program.functions.filter { function in
      !function.bounds.isEmpty || function.types.allSatisfy { $0.constantShape != nil }
    }
    memory = Memory(
      weights: weights.reduce(0) { $0 + $1.bytes },
      caches: function.cacheByteCount(positions: context, insideWindows: false),
      temporaries: bounded.isEmpty
        ? nil : bounded.reduce(0) { $0 + $1.slotByteCounts($1.bounds).reduce(0, +) },
      context: context)
  }

  /// Inputs that look like caches - numbers by batch, head and position - and are no state.
  private static func copiedCacheCount(_ function: Function) -> Int {
    let states = Set(function.states.map(\.input))
    return function.inputs.count { port in
      let type = function.type(of: port.value)
      return type.element.isFloatingPoint && type.rank == 4 && !states.contains(port.value)
    }
  }
}

extension Program {
  /// The function that decodes one token, with a sparse head where there is one, or the first.
  var decoding: Function {
    functions.first { $0.name == "decode_hire" } ?? decodingDensely
  }

  /// The same with the logits of all tokens.
  var decodingDensely: Function { functions.first { $0.name == "decode" } ?? functions[0] }
}

extension Function {
  /// Whether an operand of a step is there.
  func has(_ operand: Int, _ step: Step) -> Bool {
    operand < step.operands.count && step.operands[operand] >= 0
  }

  /// Whether a step adds what a branch computed to what went around it: two values of one shape, no weights.
  fileprivate func isResidualAddition(_ step: Step) -> Bool {
    guard step.kernel == "add", step.operands.count == 2 else { return false }
    let (a, b) = (Int(step.operands[0]), Int(step.operands[1]))
    let isComputed = [a, b].allSatisfy { if case .slot = values[$0].place { true } else { false } }
    return isComputed && type(of: a) == type(of: b) && type(of: a).rank == 3
  }

  /// Bytes of the caches of one sequence.
  ///
  /// - Parameter insideWindows: only of the positions that attention sees.
  fileprivate func cacheByteCount(positions: Int, insideWindows: Bool) -> Int {
    states.reduce(0) { sum, state in
      var seen = positions
      if insideWindows, let step = steps.first(where: { $0.results.contains(Int32(state.output)) }),
        let window = step.attributes.int("window"), window > 0
      {
        seen = min(seen, window)
      }
      let type = type(of: state.input)
      let count = type.shape.enumerated().reduce(1) { product, dim in
        product * (dim.offset == state.axis ? seen : dim.element.constant ?? 1)
      }
      return sum + count * type.element.byteCount
    }
  }
}
