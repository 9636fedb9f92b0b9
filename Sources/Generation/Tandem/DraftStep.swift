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
final class DraftStep {
  let phase: DecoderPhase
  private let candidates: HirePorts?
  private var ids: IntegerInput, mask: IntegerInput?, positions: IntegerInput?

  /// - Throws: ``GenerationError`` when the function takes more than one token.
  init(_ executor: Executor) throws(GenerationError) {
    phase = try DecoderPhase(executor)
    guard phase.largest == 1 else {
      throw .malformedTandem(
        executor.plan.path, executor.function.name, "it takes \(phase.largest) tokens, accepted is 1")
    }
    candidates = phase.ports.logits == HirePorts.logits ? try HirePorts(executor) : nil
    ids = IntegerInput(phase.ports.ids, capacity: 1)
    positions = phase.ports.positions.map { IntegerInput($0, capacity: 1) }
  }

  /// Makes room for sequences of `room` tokens.
  func reserve(_ room: Int) {
    mask = phase.ports.mask.map { IntegerInput($0, capacity: room) }
    for index in 0..<room { mask?[index] = 1 }
    phase.executor.reserve(positions: room)
  }

  /// Runs a token behind `length` others, and draws the next one as it would be in the text.
  ///
  /// - Parameter position: of the token that is proposed.
  /// - Returns: nil where the logits propose nothing, such as numbers that are none.
  func propose(after token: TokenID, length: Int, position: Int, _ sampler: Sampler) throws(GenerationError)
    -> Proposal?
  {
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
    if let candidates {
      let row = HirePhases.candidates(phase, candidates, 0)
      guard let token = try? sampler.next(row, position: position),
        let place = row.tokens.firstIndex(of: token)
      else { return nil }
      return Proposal(token: token, confidence: Self.confidence(place, row.logits))
    }
    let logits = executor.output(phase.logits).lastRow
    guard let token = try? sampler.next(logits, position: position) else { return nil }
    return Proposal(token: token, confidence: Self.confidence(Int(token), logits))
  }

  /// The probability of a token beside that of the likeliest other one: p / (p + q).
  private static func confidence(_ place: Int, _ logits: UnsafeBufferPointer<Float>) -> Float {
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
