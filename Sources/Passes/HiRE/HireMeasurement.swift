import GraphIR
import Kernels
import Operators
import Tensors

/// What a HiRE head finds of hidden states, run as it will be run.
struct HireMeasurement {
  /// The mean share of the best k tokens that are candidates, and half of its 95 % interval.
  let recall: Double, recallInterval: Double
  /// The share of states whose best token is a candidate.
  let topRecall: Double
  /// What the estimate of the log normalizer is too small by on average, and the standard deviation around that.
  let normalizerBias: Double, normalizerDeviation: Double

  /// States of one run.
  private static let block = 16

  /// - Parameters:
  ///   - attributes: those of `hire_lm_head`.
  ///   - states: f32 [N, K], those that `ranks` knows the best tokens of.
  init(
    _ predictor: HirePredictor, _ attributes: Attributes, weights: Tensor, bias: Tensor?, format: BlockFormat,
    _ states: Tensor,
    _ ranks: PredictorRanks, _ pool: ThreadPool
  ) throws(Miss) {
    let width = weights.shape[1]
    let packed = Self.packed(weights, format, pool)
    var recalls = RunningStatistics()
    var (found, errors) = (0, RunningStatistics())
    do throws(KernelError) {
      guard let entry = KernelTable.entries["hire_lm_head"] else { throw .unsupported("there is no such kernel") }
      let runner = KernelRunner(try entry.prepare(attributes), pool: pool)
      for first in stride(from: 0, to: states.shape[0], by: Self.block) {
        let count = min(Self.block, states.shape[0] - first)
        let x = Tensor(.f32, [1, count, width], storage: states.storage, offset: states.offset + first * width * 4)
        let results = try runner.run(
          [x, packed, predictor.projection, predictor.scan, predictor.rowIDs, predictor.rows, bias],
          results: [false, true, true])
        let (ids, normalizers) = (results[1]!.array(of: Int32.self), results[2]!.array(of: Float.self))
        for row in 0..<count {
          let candidates = Set(ids[(row * ids.count / count)..<((row + 1) * ids.count / count)])
          let best = ranks.tokens[((first + row) * ranks.k)..<((first + row + 1) * ranks.k)]
          recalls.add(Double(best.count { candidates.contains($0) }) / Double(ranks.k))
          if candidates.contains(best.first!) { found += 1 }
          errors.add(ranks.logNormalizers[first + row] - Double(normalizers[row]))
        }
      }
    } catch {
      throw Miss("the head cannot be measured: \(error.message)")
    }
    recall = recalls.mean
    recallInterval = 1.96 * recalls.deviation / Double(max(1, recalls.count)).squareRoot()
    topRecall = Double(found) / Double(max(1, recalls.count))
    (normalizerBias, normalizerDeviation) = (errors.mean, errors.deviation)
  }

  /// The head's weights as the kernel reads them.
  private static func packed(_ weights: Tensor, _ format: BlockFormat, _ pool: ThreadPool) -> Tensor {
    guard format != .f32 else { return weights }
    let (rows, columns, bytes) = (weights.shape[0], weights.shape[1], format.rowBytes(weights.shape[1]))
    let packed = Tensor(.u8, [rows, bytes])
    let (source, target) = (weights.base.assumingMemoryBound(to: Float.self), packed.base)
    let step = 256
    pool.forEach((rows + step - 1) / step) { index in
      for row in (index * step)..<min((index + 1) * step, rows) {
        format.encode(source + row * columns, columns: columns, into: target + row * bytes)
      }
    }
    return packed
  }
}

/// Mean and standard deviation of numbers that come one by one (Welford 1962).
private struct RunningStatistics {
  private(set) var count = 0
  private(set) var mean = 0.0
  private var squares = 0.0

  mutating func add(_ value: Double) {
    count += 1
    let difference = value - mean
    mean += difference / Double(count)
    squares += difference * (value - mean)
  }

  var deviation: Double { count > 1 ? (squares / Double(count - 1)).squareRoot() : 0 }
}
