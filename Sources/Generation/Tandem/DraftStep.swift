import Execution
import Kernels
import PlanFormat
import Tensors
import Tokenization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs a function for one token of a draft, and proposes the token that follows.
///
/// Of a function for candidates the likeliest are enough: what is proposed will be verified.
///
/// How likely a proposal is right says the function's output ``router``, which a router trained with the small model
/// computes (papers.md 2.6); without one, its probability beside that of the likeliest other token.
final class DraftStep {
  let phase: DecoderPhase
  private let candidates: HirePorts?
  private let routed: Executor.Place?
  private var ids: IntegerInput, mask: IntegerInput?, positions: IntegerInput?

  /// The output f32 `[1, 1]` or `[1, 1, 1]`: the probability that the decoder draws the same token.
  static let router = "router"

  /// - Throws: ``GenerationError`` when the function takes more than one token, or its router gives more than one
  ///   number for it.
  init(_ executor: Executor) throws(GenerationError) {
    phase = try DecoderPhase(executor)
    guard phase.largest == 1 else {
      throw .malformedTandem(
        executor.plan.path, executor.function.name, "it takes \(phase.largest) tokens, accepted is 1")
    }
    candidates = phase.ports.logits == HirePorts.logits ? try HirePorts(executor) : nil
    routed = try Self.router(executor)
    ids = IntegerInput(phase.ports.ids, capacity: 1)
    positions = phase.ports.positions.map { IntegerInput($0, capacity: 1) }
  }

  private static func router(_ executor: Executor) throws(GenerationError) -> Executor.Place? {
    let function = executor.function
    guard let port = function.outputs.first(where: { $0.name == router }) else { return nil }
    let type = function.type(of: port.value)
    guard type.element == .f32, type.shape.allSatisfy({ $0 == 1 }) else {
      throw .malformedTandem(
        executor.plan.path, function.name, "its output '\(router)' is \(type), accepted is one number in f32")
    }
    do throws(ExecutionError) {
      return try executor.place(ofOutput: router)
    } catch {
      throw GenerationError(error)
    }
  }

  /// Makes room for sequences of `room` tokens.
  func reserve(_ room: Int) {
    mask = phase.ports.mask.map { IntegerInput($0, capacity: room) }
    for index in 0..<room { mask?[index] = 1 }
    phase.executor.reserve(positions: room)
  }

  /// Runs a token behind `length` others.
  func run(_ token: TokenID, length: Int) throws(GenerationError) {
    ids[0] = Int(token)
    positions?[0] = length
    let executor = phase.executor
    do throws(ExecutionError) {
      try executor.bind(phase.ids, ids.view(1))
      if let mask, let place = phase.mask { try executor.bind(place, mask.view(length + 1)) }
      if let positions, let place = phase.positions { try executor.bind(place, positions.view(1)) }
      try executor.run()
    } catch {
      throw GenerationError(error)
    }
  }

  /// Runs a token behind `length` others, and draws the next one as it would be in the text.
  ///
  /// - Parameter position: of the token that is proposed.
  /// - Returns: nil where the logits propose nothing, such as numbers that are none.
  func propose(after token: TokenID, length: Int, position: Int, _ sampler: Sampler) throws(GenerationError)
    -> Proposal?
  {
    try run(token, length: length)
    if let candidates {
      let row = HirePhases.candidates(phase, candidates, 0)
      guard let token = try? sampler.next(row, position: position),
        let place = row.tokens.firstIndex(of: token)
      else { return nil }
      return Proposal(token: token, confidence: confidence(place, row.logits))
    }
    guard let token = try? sampler.next(logits, position: position) else { return nil }
    return Proposal(token: token, confidence: confidence(Int(token), logits))
  }

  /// Those of the last run, valid until the next one.
  var logits: UnsafeBufferPointer<Float> { phase.executor.output(phase.logits).lastRow }

  /// What the router says, or the probability of a token beside that of the likeliest other one: p / (p + q).
  private func confidence(_ place: Int, _ logits: UnsafeBufferPointer<Float>) -> Float {
    if let routed {
      let probability = phase.executor.output(routed).base.load(as: Float.self)
      return probability.isFinite ? min(max(probability, 0), 1) : 0
    }
    var other = -Float.infinity
    if place > 0 { other = LogitScan.maximum(UnsafeBufferPointer(rebasing: logits[..<place])) }
    if place + 1 < logits.count {
      other = max(other, LogitScan.maximum(UnsafeBufferPointer(rebasing: logits[(place + 1)...])))
    }
    return 1 / (1 + exp(other - logits[place]))
  }
}

extension TensorView {
  /// The last row of f32.
  fileprivate var lastRow: UnsafeBufferPointer<Float> {
    precondition(element == .f32 && strides[rank - 1] == 1, "logits are f32 and lie densely")
    let row = rank == 3 ? (shape[1] - 1) * strides[1] : 0
    return UnsafeBufferPointer(
      start: base.assumingMemoryBound(to: Float.self) + row, count: shape[rank - 1])
  }
}
