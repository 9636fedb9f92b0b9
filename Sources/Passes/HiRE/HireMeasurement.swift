import GraphIR
import Kernels
import Operators
import Tensors

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a HiRE head finds of hidden states, run as it will be run beside the dense head.
struct HireMeasurement {
  /// The share of the best k tokens that are candidates.
  private(set) var recall = RunningMean()
  /// The same of the best token alone.
  private(set) var topRecall = RunningMean()
  /// How the head estimates what it does not see.
  let tail: HireTail
  /// Mean KL(dense || head) in nats with this estimate.
  let divergence: Double

  /// States of one run.
  private static let block = 16
  /// With a bias as large the estimate of the normalizer is log s + bias: the others are all there is.
  private static let onlyOthers = HireTail(bias: 40, slope: 1)

  /// - Parameters:
  ///   - attributes: those of `hire_lm_head`, but for its tail.
  ///   - states: f32 [N, K], those that `ranks` knows the best tokens of.
  init(
    _ predictor: HirePredictor, _ attributes: Attributes, weights: Tensor, bias: Tensor?, format: BlockFormat,
    _ states: Tensor, _ ranks: PredictorRanks, _ pool: ThreadPool
  ) throws(Miss) {
    let width = weights.shape[1]
    let packed = Self.packed(weights, format, pool)
    var observations: [TailFit.Observation] = []
    do throws(KernelError) {
      let sparse = try Self.runner("hire_lm_head", attributes.with(Self.onlyOthers), pool)
      let dense = try Self.runner("lm_head", attributes, pool)
      for first in stride(from: 0, to: states.shape[0], by: Self.block) {
        let count = min(Self.block, states.shape[0] - first)
        let x = Tensor(
          .f32, [1, count, width], storage: states.storage, offset: states.offset + first * width * 4)
        let found = try sparse.run(
          [x, packed, predictor.projection, predictor.scan, predictor.rowIDs, predictor.rows, bias],
          results: [true, true, true])
        let all = try dense.run([x, packed, bias], results: [true])[0]!
        let rows = (0..<count).map { Self.Row(found, all, $0) }
        for (row, seen) in rows.enumerated() {
          let best = ranks.tokens[((first + row) * ranks.k)..<((first + row + 1) * ranks.k)]
          recall.add(Double(best.count { seen.candidates.contains($0) }) / Double(ranks.k))
          topRecall.add(seen.candidates.contains(best.first!) ? 1 : 0)
          observations.append(seen.observation)
        }
      }
    } catch {
      throw Miss("the head cannot be measured: \(error.message)")
    }
    let fit = TailFit(observations)
    (tail, divergence) = (fit.tail, fit.divergence)
  }

  private static func runner(_ name: String, _ attributes: Attributes, _ pool: ThreadPool) throws(KernelError)
    -> KernelRunner
  {
    guard let entry = KernelTable.entries[name] else { throw .unsupported("there is no kernel '\(name)'") }
    return KernelRunner(try entry.prepare(attributes), pool: pool)
  }

  /// What a head found of one hidden state, and what it did not.
  private struct Row {
    let candidates: Set<Int32>
    let observation: TailFit.Observation

    /// - Parameters:
    ///   - found: the results of `hire_lm_head`, the normalizer that of ``onlyOthers``.
    ///   - all: those of `lm_head`; what candidates have there becomes minus infinity.
    init(_ found: [Tensor?], _ all: Tensor, _ row: Int) {
      func numbers<T: BitwiseCopyable>(_ tensor: Tensor, _ type: T.Type) -> UnsafeMutableBufferPointer<T> {
        let count = tensor.shape[2]
        return UnsafeMutableBufferPointer(
          start: tensor.base.assumingMemoryBound(to: T.self) + row * count, count: count)
      }
      let (listed, ids) = (numbers(found[0]!, Float.self), numbers(found[1]!, Int32.self))
      let logits = numbers(all, Float.self)
      candidates = Set(ids)
      for id in ids where id >= 0 { logits[Int(id)] = -.infinity }
      let (sum, rest) = (HireMeasurement.logSum(listed), HireMeasurement.logSum(logits))
      let others =
        Double(found[2]!.base.assumingMemoryBound(to: Float.self)[row])
        - Double(HireMeasurement.onlyOthers.bias)
      observation = TailFit.Observation(seen: others - sum, actual: rest - sum)
    }
  }

  /// log sum exp
  private static func logSum(_ x: UnsafeMutableBufferPointer<Float>) -> Double {
    guard let maximum = x.max(), maximum > -.infinity else { return -.infinity }
    var sum = 0.0
    for value in x { sum += Double(exp(value - maximum)) }
    return Double(maximum) + log(sum)
  }

  /// The head's weights as the kernel reads them.
  static func packed(_ weights: Tensor, _ format: BlockFormat, _ pool: ThreadPool) -> Tensor {
    guard format != .f32 else { return weights }
    let (rows, columns, bytes) = (weights.shape[0], weights.shape[1], format.rowBytes(weights.shape[1]))
    let packed = Tensor(.u8, [rows, bytes])
    let (source, target) = (weights.base.assumingMemoryBound(to: Float.self), packed.base)
    let step = 256
    pool.forEach((rows + step - 1) / step) { index in
      for row in (index * step)..<min((index + 1) * step, rows) {
        format.encode(source + row * columns, columns: columns, into: target, row: row, of: rows)
      }
    }
    return packed
  }
}

extension Attributes {
  /// Attributes of `hire_lm_head` with an estimate of the tail.
  func with(_ tail: HireTail) -> Attributes {
    var attributes = self
    attributes["tail_bias"] = .float(tail.bias)
    attributes["tail_slope"] = .float(tail.slope)
    return attributes
  }
}
