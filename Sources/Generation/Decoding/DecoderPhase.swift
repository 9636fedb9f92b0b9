import Execution
import Kernels
import PlanFormat

/// One function of a decoder with the number of tokens that it takes.
final class DecoderPhase {
  let executor: Executor
  let ports: DecoderPorts
  /// Where a run finds what the ports name.
  let ids: Executor.Place, mask: Executor.Place?, positions: Executor.Place?
  let logits: Executor.Place
  /// Hidden states that somebody reads after every run (``Decoder/readTaps(_:)``).
  private(set) var taps: [Executor.Place] = []
  /// The most tokens of a run.
  let largest: Int
  /// Whether it computes the logits of every token, or of the last alone.
  let hasAllLogits: Bool

  /// Functions of a plan that are for a number of tokens, smallest first, then the one for any number.
  private static let names = ["decode", "block", "prefill"]

  /// - Throws: ``GenerationError`` when the function is no decoder.
  init(_ executor: Executor) throws(GenerationError) {
    self.executor = executor
    let ports = try DecoderPorts(executor)
    self.ports = ports
    do throws(ExecutionError) {
      ids = try executor.place(ofInput: ports.ids.name)
      mask = try ports.mask.map { input throws(ExecutionError) in try executor.place(ofInput: input.name) }
      positions = try ports.positions.map { input throws(ExecutionError) in
        try executor.place(ofInput: input.name)
      }
      logits = try executor.place(ofOutput: ports.logits)
    } catch {
      throw GenerationError(error)
    }
    largest = ports.fixedCount ?? ports.sequence.flatMap { executor.function.bounds[$0] } ?? Int.max
    hasAllLogits = largest == 1 || !ports.hasLastLogitsOnly
  }

  /// - Throws: ``GenerationError`` when there is no such output.
  func readTaps(_ names: [String]) throws(GenerationError) {
    do throws(ExecutionError) {
      taps = try names.map { name throws(ExecutionError) in try executor.place(ofOutput: name) }
    } catch {
      throw GenerationError(error)
    }
  }

  /// The phases of a plan whose first function takes any number of tokens; it is the last of them.
  static func all(_ main: Executor, pool: ThreadPool) throws(GenerationError) -> [DecoderPhase] {
    try named(names, main, pool: pool) + [DecoderPhase(main)]
  }

  /// The functions with these names that a plan has beside the first, over its caches; smallest first.
  static func named(_ names: [String], _ main: Executor, pool: ThreadPool) throws(GenerationError)
    -> [DecoderPhase]
  {
    var phases: [DecoderPhase] = []
    for name in names where main.plan.program.functions.contains(where: { $0.name == name }) {
      guard name != main.function.name else { continue }
      let executor: Executor
      do throws(ExecutionError) {
        executor = try Executor(main.plan, function: name, pool: pool, states: main.states)
      } catch {
        throw GenerationError(error)
      }
      phases.append(try DecoderPhase(executor))
    }
    return phases.sorted { $0.largest < $1.largest }
  }
}
