import Kernels
import Tensors

/// The HiRE head in the shape of Gemma 3 270M.
enum HireBench {
  private static let turns = 15

  static func run(_ pool: ThreadPool) {
    print(
      "hire_lm_head [262144, 640] q8b32, scan of 64 coordinates, 64 shards: microseconds, GB/s (read roof)")
    let head = HireOperands()
    let roof = ReadBandwidth(byteCount: 128 << 20)
    for (rows, bits) in [(1, 4), (1, 8), (4, 4), (16, 4)] {
      let shapes: [(survivors: Int?, format: BlockFormat, candidates: Int)] = [
        (nil, .q8b32, 1), (nil, .q8b32, 64), (512, .q8b32, 1), (512, .q4b32, 1), (512, .q8b32, 64),
      ]
      let forms = shapes.map { shape in
        let stage = shape.survivors.map { "\($0) survivors \(shape.format)" } ?? "one stage"
        let run = head.run(
          rows, bits, survivors: shape.survivors, shape.format, candidates: shape.candidates, pool)
        return ("\(stage), \(shape.candidates) candidates", run)
      }
      var (read, best) = (0.0, [Double](repeating: .infinity, count: forms.count))
      for _ in 0..<turns {
        for (index, (_, run)) in forms.enumerated() {
          // More than the caches hold: every run finds its weights in memory.
          read = max(read, roof.measure(pool))
          best[index] = min(best[index], run.seconds())
        }
      }
      print("  S \(rows), \(bits) bits, read \(fixed(read / 1e9, 1))")
      for ((name, run), seconds) in zip(forms, best) {
        let speed = Double(run.byteCount) / seconds
        print(
          "    \(padded(name, 36)) \(padded(fixed(seconds * 1e6, 0), 6)) \(fixed(speed / 1e9, 1))"
            + " (\(fixed(speed / read * 100, 0))%)")
      }
    }
  }
}

/// Random operands: codes of any bits, and scales of one size.
private final class HireOperands {
  static let vocabulary = 262144, inner = 640, rank = 256, scanRank = 64, mostRows = 16

  let x, weight, projection, ids: Tensor
  /// By bits.
  let scans: [Int: Tensor]
  let rows: [BlockFormat: Tensor]

  init() {
    let (vocabulary, inner, rank) = (Self.vocabulary, Self.inner, Self.rank)
    var random = RandomOperands()
    x = random.numbers([1, Self.mostRows, inner])
    projection = random.numbers([rank, inner])
    weight = random.codes(vocabulary, BlockFormat.q8b32.rowBytes(inner), scales: inner / 32)
    // q4b32 has a scale and a minimum.
    rows = [
      .q8b32: random.codes(vocabulary, BlockFormat.q8b32.rowBytes(rank), scales: rank / 32),
      .q4b32: random.codes(vocabulary, BlockFormat.q4b32.rowBytes(rank), scales: rank / 16),
    ]
    scans = Dictionary(
      uniqueKeysWithValues: [4, 8].map { bits in
        let panels = ScanPanels(rank: Self.scanRank, bits: bits)!
        return (bits, random.codes(panels.count(rows: vocabulary), panels.byteCount, scales: ScanPanels.rows))
      })
    // A step that shares no factor with the vocabulary: rows far from each other.
    ids = Tensor(i32: (0..<vocabulary).map { Int32(truncatingIfNeeded: $0 * 100_003 % vocabulary) })
  }

  /// One form of the head, ready to run.
  ///
  /// - Parameter survivors: nil for one stage.
  func run(
    _ queries: Int, _ bits: Int, survivors: Int?, _ format: BlockFormat, candidates: Int, _ pool: ThreadPool
  ) -> KernelRun {
    let attributes: [String: AttributeValue] = [
      "weight_format": .string("q8b32"), "rows_format": .string(format.rawValue),
      "scan_rank": .int(Self.scanRank), "scan_bits": .int(bits),
      "shard_rows": .int(4096), "survivors": .int(survivors ?? candidates), "candidates": .int(candidates),
    ]
    let (shards, count) = (Self.vocabulary / 4096, candidates * Self.vocabulary / 4096 * queries)
    let (second, exact) = (format.rowBytes(Self.rank), BlockFormat.q8b32.rowBytes(Self.inner))
    return KernelRun(
      "hire_lm_head", attributes,
      [
        Tensor(.f32, [1, queries, Self.inner], storage: x.storage), weight, projection, scans[bits]!, ids,
        survivors == nil ? nil : rows[format]!,
      ],
      resultBytes: [4 * count, 4 * count, 4 * queries],
      byteCount: projection.byteCount + scans[bits]!.byteCount
        + queries * shards * ((survivors ?? 0) * second + candidates * exact), pool)
  }
}
