import Execution
public import GraphIR
import Kernels
import Passes
import PlanFormat
public import Tensors
public import Tokenization

/// Runs variants of a decoder on texts, beside the decoder itself.
public struct LogitTrial: Sendable {
  /// Sequences of which every second one is held out.
  private let texts: [[TokenID]]
  private let folder: String
  private let threadCount: Int

  /// - Parameters:
  ///   - texts: sequences of tokens, each run by itself.
  ///   - folder: where plans are written for a moment.
  public init(_ texts: [[TokenID]], folder: String, threadCount: Int) {
    (self.texts, self.folder, self.threadCount) = (texts, folder, threadCount)
  }

  /// For each function but the first, KL(first || it) of the logits of each token, in nats.
  ///
  /// - Parameters:
  ///   - isHeldOut: which half of the texts is run.
  ///   - progress: told the share that is done.
  public func divergences(_ variants: Module, isHeldOut: Bool, progress: (Double) -> Void) throws
    -> [RunningMean]
  {
    let pool = ThreadPool(threadCount: threadCount)
    let plan = try variants.temporaryPlan(folder: folder)
    let logits = try logitsName(variants)
    let names = variants.functions.dropFirst().map(\.name)
    var results = [RunningMean](repeating: RunningMean(), count: names.count)
    let chosen = texts.enumerated().filter { ($0.offset % 2 == 1) == isHeldOut }.map(\.element)
    for (place, text) in chosen.enumerated() {
      let reference = try Self.run(text, try Executor(plan, function: variants.main.name, pool: pool))
      let rows = try LogitRows(reference, logits, rows: text.count, pool)
      for (index, name) in names.enumerated() {
        let variant = try Self.run(text, try Executor(plan, function: name, pool: pool))
        for divergence in rows.divergences(to: try variant.numbers(logits), pool) {
          results[index].add(divergence)
        }
        progress(Double(place * names.count + index + 1) / Double(chosen.count * names.count))
      }
    }
    return results
  }

  private func logitsName(_ module: Module) throws -> String {
    let graph = module.main.graph
    do throws(Miss) {
      let logits = try graph.decoderLogits()
      return graph.outputs.first { $0.value == logits }!.name
    } catch {
      throw Calibrator.Failure(description: "the model cannot be tried: \(error.reason)")
    }
  }

  private static func run(_ text: [TokenID], _ executor: Executor) throws -> Executor {
    try executor.allocateStates(capacity: text.count, sizes: executor.sizes(batch: 1))
    try executor.run(text, batch: 1, at: 0)
    return executor
  }
}

/// Rows of logits, with the exponentials of all of them.
private final class LogitRows {
  private let executor: Executor
  private let rows: [LogSoftmaxRow]
  private let weights: UnsafeMutablePointer<Float>
  private let vocabulary: Int

  init(_ executor: Executor, _ name: String, rows count: Int, _ pool: ThreadPool) throws {
    let base = try executor.numbers(name)
    guard let view = executor.output(name) else { preconditionFailure("its numbers are there") }
    let width = view.shape[view.rank - 1]
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: count * width)
    (self.executor, weights, vocabulary) = (executor, memory, width)
    rows = (0..<count).map {
      LogSoftmaxRow(UnsafeBufferPointer(start: base + $0 * width, count: width), weights: memory + $0 * width)
    }
  }

  deinit { weights.deallocate() }

  func divergences(to logits: UnsafePointer<Float>, _ pool: ThreadPool) -> [Double] {
    var result = [Double](repeating: 0, count: rows.count)
    let tasks = min(pool.threadCount, rows.count)
    let scratch = UnsafeMutablePointer<Float>.allocate(capacity: tasks * vocabulary)
    defer { scratch.deallocate() }
    result.withUnsafeMutableBufferPointer { result in
      nonisolated(unsafe) let (result, rows, scratch, logits) = (result, rows, scratch, logits)
      let vocabulary = vocabulary
      pool.forEach(tasks) { task in
        for index in stride(from: task, to: rows.count, by: tasks) {
          let row = LogSoftmaxRow(
            UnsafeBufferPointer(start: logits + index * vocabulary, count: vocabulary),
            weights: scratch + task * vocabulary)
          result[index] = rows[index].divergence(to: row)
        }
      }
    }
    return result
  }
}
