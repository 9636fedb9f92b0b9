import Execution
import Foundation
import Generation
public import GraphIR
public import Kernels
import Passes
import PlanFormat
import Planning
public import Tensors
public import Tokenization

/// Runs a module to see rows of some of its values.
///
/// The module's first function becomes a plan of its own, in a file that is unlinked at once, with these values as
/// further outputs.
public struct Calibrator {
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
    public init(description: String) { self.description = description }
  }

  /// What goes through the model.
  public enum Source: Sendable {
    /// Texts that the model writes itself, drawn at temperature 1. They are like what it will be asked to continue, in
    /// whatever language it knows; texts of one kind leave the predictor weak on others.
    case generated
    /// The tokens of a text.
    case tokens([TokenID])
  }

  public struct Options: Sendable {
    /// Hidden states to collect.
    public var count = 16384
    /// Tokens of one sequence.
    public var length = 512
    public var seed: UInt64 = 1
    /// Tokens in front of every sequence, such as `<bos>`.
    public var prefix: [TokenID] = []
    /// Tokens that end a text; a sequence goes on with the prefix.
    public var endOfText: Set<TokenID> = []

    public init() {}
  }

  /// Sequences that are written at a time: weights are read once for all of them.
  private static let lanes = 16

  private let executor: Executor
  private let pool: ThreadPool
  private let options: Options
  /// Numbers of a row of each tap.
  private let widths: [Int]
  private let vocabulary: Int
  private let logits: String

  /// - Parameters:
  ///   - taps: the values to see, `[B, S, K]`.
  ///   - folder: where the plan is written for a moment.
  public init(_ module: Module, _ taps: [ValueID], _ options: Options, folder: String, pool: ThreadPool)
    throws
  {
    let logits: ValueID
    do throws(Miss) {
      logits = try module.main.graph.decoderLogits()
    } catch {
      throw Failure(description: "the model cannot be calibrated: \(error.reason)")
    }
    var single = Module(functions: [module.main], constants: module.constants)
    let graph = module.main.graph
    let widths = taps.compactMap { graph[$0].type.rank == 3 ? graph[$0].type.shape[2].constant : nil }
    guard widths.count == taps.count, let vocabulary = graph[logits].type.shape.last?.constant else {
      throw Failure(description: "the model cannot be calibrated: its sizes are not known")
    }
    (self.widths, self.vocabulary) = (widths, vocabulary)
    self.logits = graph.outputs.first { $0.value == logits }!.name
    for (index, tap) in taps.enumerated() { single.main.graph.outputs.append((Self.tap(index), tap)) }
    executor = try Executor(try single.temporaryPlan(folder: folder), pool: pool)
    self.pool = pool
    self.options = options
  }

  private static func tap(_ index: Int) -> String { "tandem.tap.\(index)" }

  /// What went through the model.
  public struct Collected {
    /// Rows of each tap, f32 [N, K], sequence by sequence of ``Options/length``.
    public var rows: [Tensor]
    /// The tokens of each sequence.
    public var texts: [[TokenID]] = []
  }

  /// Runs texts and collects what the taps give.
  ///
  /// - Parameter progress: told the share that is done.
  public func collect(_ source: Source, progress: (Double) -> Void) throws -> Collected {
    switch source {
    case .generated: try generate(progress)
    case .tokens(let tokens): try read(tokens, progress)
    }
  }

  // MARK: Texts of its own

  private func generate(_ progress: (Double) -> Void) throws -> Collected {
    let rounds = max(1, (options.count + Self.lanes * options.length - 1) / (Self.lanes * options.length))
    let total = rounds * Self.lanes
    let rows = widths.map { Tensor(.f32, [total * options.length, $0]) }
    var texts = [[TokenID]](repeating: [], count: total)
    try executor.allocateStates(capacity: options.length, sizes: executor.sizes(batch: Self.lanes))
    for round in 0..<rounds {
      executor.truncateStates(to: 0)
      let samplers = (0..<Self.lanes).map { lane in
        var sampling = SamplingOptions()
        sampling.temperature = 1
        sampling.seed = options.seed &+ UInt64(round * Self.lanes + lane)
        return Sampler(sampling, vocabularyCount: vocabulary)
      }
      var pending = (0..<Self.lanes).map { opening(round * Self.lanes + $0) }
      for position in 0..<options.length {
        let tokens = (0..<Self.lanes).map { pending[$0].removeFirst() }
        for lane in 0..<Self.lanes { texts[round * Self.lanes + lane].append(tokens[lane]) }
        try executor.run(tokens, batch: Self.lanes, at: position)
        let logits = try executor.numbers(logits)
        for lane in 0..<Self.lanes {
          let row = (round * Self.lanes + lane) * options.length + position
          try keep(lane, 1, in: rows, at: row)
          guard pending[lane].isEmpty else { continue }
          let token = try samplers[lane].next(
            UnsafeBufferPointer(start: logits + lane * vocabulary, count: vocabulary), position: position)
          pending[lane] = options.endOfText.contains(token) ? opening(round * Self.lanes + lane) : [token]
        }
        progress(Double(round * options.length + position + 1) / Double(rounds * options.length))
      }
    }
    return Collected(rows: rows, texts: texts)
  }

  /// How a sequence begins: without a prefix, with a token that its number picks.
  private func opening(_ sequence: Int) -> [TokenID] {
    options.prefix.isEmpty ? [TokenID(sequence * 7919 % vocabulary)] : options.prefix
  }

  // MARK: A given text

  private func read(_ tokens: [TokenID], _ progress: (Double) -> Void) throws -> Collected {
    let step = options.length - options.prefix.count
    let windows = min(tokens.count / max(1, step), max(2, options.count / options.length))
    guard windows >= 2 else {
      throw Failure(
        description: "the calibration text has \(tokens.count) tokens, need \(2 * max(1, step)) or more")
    }
    var collected = Collected(rows: widths.map { Tensor(.f32, [windows * options.length, $0]) })
    try executor.allocateStates(capacity: options.length, sizes: executor.sizes(batch: 1))
    for window in 0..<windows {
      executor.truncateStates(to: 0)
      let sequence = options.prefix + tokens[(window * step)..<((window + 1) * step)]
      collected.texts.append(sequence)
      for first in stride(from: 0, to: sequence.count, by: Self.lanes) {
        let piece = Array(sequence[first..<min(first + Self.lanes, sequence.count)])
        try executor.run(piece, batch: 1, at: first)
        try keep(0, piece.count, in: collected.rows, at: window * options.length + first)
      }
      progress(Double(window + 1) / Double(windows))
    }
    return collected
  }

  // MARK: Running

  /// Copies rows of all taps.
  private func keep(_ first: Int, _ count: Int, in rows: [Tensor], at row: Int) throws {
    for (index, width) in widths.enumerated() {
      (rows[index].base + row * width * 4)
        .copyMemory(from: try executor.numbers(Self.tap(index)) + first * width, byteCount: count * width * 4)
    }
  }
}
