import Foundation
import Kernels
import Tensors

/// A small HiRE head over noise, with the search as its definition tells it.
struct HireCase: CustomStringConvertible {
  var length = 3
  var vocabulary = 150
  var format = BlockFormat.q8b32
  var rowsFormat = BlockFormat.q8b32
  var bits = 4
  var hasRows = true
  var hasBias = false
  var shardRows = 64
  var survivors = 24
  var candidates = 7
  var softcap: Float = 0
  var isLastOnly = false
  var threads = 2
  var tail = HireTail(bias: 0.25, slope: 0.75)

  static let inner = 40, rank = 32, scanRank = 16, batch = 2

  var description: String {
    "S \(length) V \(vocabulary) \(format) \(bits) bits rows \(hasRows) bias \(hasBias) shards \(shardRows):"
      + " \(survivors), \(candidates) softcap \(softcap) last \(isLastOnly) threads \(threads)"
  }

  var attributes: [String: AttributeValue] {
    var attributes: [String: AttributeValue] = [
      "scan_rank": .int(Self.scanRank), "scan_bits": .int(bits), "shard_rows": .int(shardRows),
      "survivors": .int(survivors), "candidates": .int(candidates), "softcap": .float(softcap),
      "last_only": .int(isLastOnly ? 1 : 0), "tail_bias": .float(tail.bias),
      "tail_slope": .float(tail.slope),
    ]
    if rowsFormat != .q8b32 { attributes["rows_format"] = .string(rowsFormat.rawValue) }
    if format != .f32 { attributes["weight_format"] = .string(format.rawValue) }
    return attributes
  }

  func operands() throws -> [Tensor?] {
    let matrix = noise([vocabulary, Self.rank], seed: 4)
    let panels = ScanPanels(rank: Self.scanRank, bits: bits)!
    let scan = Tensor(.u8, [panels.count(rows: vocabulary), panels.byteCount])
    panels.encode(
      matrix.base.assumingMemoryBound(to: Float.self), rows: vocabulary, stride: Self.rank, into: scan.base)
    // A permutation without fixed order.
    var ids = (0..<vocabulary).map { Int32($0) }
    for place in ids.indices.reversed() { ids.swapAt(place, place * 7919 % (place + 1)) }
    let weight = noise([vocabulary, Self.inner], seed: 2)
    return [
      noise([Self.batch, length, Self.inner], seed: 1),
      format == .f32 ? weight : try WeightFormatTests.packed(weight, format),
      noise([Self.rank, Self.inner], seed: 3), scan, Tensor(i32: ids),
      hasRows ? try WeightFormatTests.packed(matrix, rowsFormat) : nil,
      hasBias ? noise([vocabulary], seed: 5) : nil,
    ]
  }

  /// Logits, ids and the normalizer as the kernel gives them.
  func run(_ operands: [Tensor?]) throws -> [Tensor] {
    let run = try KernelRun(
      "hire_lm_head", tensors: operands, Attributes(attributes), results: 3, threads: threads)
    return (0..<3).map { run.tensor($0) }
  }

  // MARK: The definition

  struct Found {
    var logits: [Float] = []
    var ids: [Int32] = []
    var normalizer: Double = 0
  }

  /// One entry per row of x.
  func expected(_ operands: [Tensor?]) throws -> [Found] {
    let x = operands[0]!
    let rows = Self.batch * length
    let flat = Tensor(f32: x.array(of: Float.self), [rows, Self.inner])
    func linear(_ x: Tensor, _ weight: Tensor, _ format: BlockFormat?, _ bias: Tensor? = nil) throws
      -> [Float]
    {
      // Row by row, so that no order of sums depends on their number.
      try (0..<x.shape[0]).flatMap { row in
        let one = x.positions(row..<row + 1, axis: 0)
        let attributes = format.map { ["weight_format": AttributeValue.string($0.rawValue)] } ?? [:]
        return try KernelRun(
          "linear", tensors: [one, weight, bias], Attributes(attributes), results: 1
        ).tensor(0).array(of: Float.self)
      }
    }
    let z = try linear(flat, operands[2]!, nil)
    let second = try operands[5].map { try linear(Tensor(f32: z, [rows, Self.rank]), $0, rowsFormat) }
    var head: [String: AttributeValue] = ["softcap": .float(softcap)]
    if format != .f32 { head["weight_format"] = .string(format.rawValue) }
    let dense = try (0..<rows).flatMap { row in
      let one = Tensor(f32: flat.positions(row..<row + 1, axis: 0).array(of: Float.self), [1, 1, Self.inner])
      return try KernelRun(
        "lm_head", tensors: [one, operands[1], operands[6]], Attributes(head), results: 1
      ).tensor(0).array(of: Float.self)
    }
    let kept = isLastOnly ? (0..<Self.batch).map { ($0 + 1) * length - 1 } : Array(0..<rows)
    return kept.map { row in
      let first = firstScores(operands, Array(z[row * Self.rank..<(row + 1) * Self.rank]))
      let scores = second.map { Array($0[row * vocabulary..<(row + 1) * vocabulary]) }
      return search(
        operands, first, scores, Array(dense[row * vocabulary..<(row + 1) * vocabulary]))
    }
  }

  /// Scores of the first stage by predictor row.
  private func firstScores(_ operands: [Tensor?], _ z: [Float]) -> [Float] {
    let panels = ScanPanels(rank: Self.scanRank, bits: bits)!
    let first = z.prefix(Self.scanRank)
    let limit: Float = bits == 4 ? 127 : 63
    let largest = first.reduce(0) { max($0, abs($1)) }
    let q = first.map { Int(($0 * (limit / largest)).rounded(.toNearestOrEven)) }
    return (0..<vocabulary).map { row in
      var numbers = [Float](repeating: 0, count: Self.scanRank)
      panels.decode(operands[3]!.base, row: row, into: &numbers)
      let panel = operands[3]!.base + row / 16 * panels.byteCount
      let scale = Float(
        panel.load(fromByteOffset: panels.byteCount - 32 + row % 16 * 2, as: Float16.self))
      let sum = zip(numbers, q).reduce(0) { $0 + Int(($1.0 / scale).rounded()) * $1.1 }
      return Float(sum) * (largest / limit) * scale
    }
  }

  private func search(_ operands: [Tensor?], _ first: [Float], _ second: [Float]?, _ dense: [Float]) -> Found
  {
    let ids = operands[4]!.array(of: Int32.self)
    let bias = operands[6]?.array(of: Float.self)
    func biased(_ scores: [Float], _ row: Int) -> Float {
      scores[row] + (bias.map { $0[Int(ids[row])] } ?? 0)
    }
    func best(_ rows: [Int], _ count: Int, _ scores: [Float]) -> [Int] {
      let order = rows.sorted {
        let (a, b) = (biased(scores, $0), biased(scores, $1))
        return a != b ? a > b : $0 < $1
      }
      return order.prefix(count).sorted()
    }
    var found = Found()
    var (listed, others) = (0.0, 0.0)
    for start in stride(from: 0, to: vocabulary, by: shardRows) {
      let rows = Array(start..<min(vocabulary, start + shardRows))
      let survivors = best(rows, survivors, first)
      let chosen = best(survivors, candidates, second ?? first)
      for row in chosen {
        found.logits.append(dense[Int(ids[row])])
        found.ids.append(ids[row])
      }
      for _ in chosen.count..<candidates {
        found.logits.append(-.infinity)
        found.ids.append(-1)
      }
      for row in survivors {
        if chosen.contains(row) {
          listed += exp(Double(dense[Int(ids[row])]))
        } else {
          let score = Double(biased(second ?? first, row)), cap = Double(softcap)
          others += exp(cap == 0 ? score : cap * tanh(score / cap))
        }
      }
    }
    let odds = exp(Double(tail.bias)) * pow(others / listed, Double(tail.slope))
    found.normalizer = log(listed * (1 + odds))
    return found
  }
}
