import Kernels
import Tensors

/// Feed-forward blocks in the shape of `graphs/hire-1b`, dense and of chosen neurons.
enum FeedForwardBench {
  private static let counts = [1, 2, 4, 8], turns = 25

  static func run(_ pool: ThreadPool) {
    print(
      "feed-forward [18432, 1024] q8b32, relu squared, 128 of 2304 groups: S, microseconds, GB/s (share of the read"
        + " roof), times dense")
    let block = FeedForwardOperands()
    let roof = ReadBandwidth(byteCount: 128 << 20)
    let forms: [(name: String, run: (Int) -> KernelRun)] =
      [("dense", { block.dense(rows: $0, pool) })]
      + [
        SparseForm(rank: 1024, hasBasis: false, bits: 4, candidates: 192),
        SparseForm(rank: 256, hasBasis: true, bits: 4, candidates: 320),
        SparseForm(rank: 128, hasBasis: true, bits: 4, candidates: 468),
        // What conversion chooses for the layers of `graphs/hire-1b`.
        SparseForm(rank: 1024, hasBasis: false, bits: 4, candidates: 183, isOfGroups: true),
        SparseForm(rank: 1024, hasBasis: false, bits: 4, candidates: 192, down: .q6b16),
        SparseForm(rank: 1024, hasBasis: false, bits: 4, candidates: 192, down: .q5b32),
        SparseForm(rank: 1024, hasBasis: false, bits: 4, candidates: 192, down: .q4b32),
      ].map { form in (form.name, { block.sparse(form, rows: $0, pool) }) }
    for count in counts {
      let runs = forms.map { ($0.name, $0.run(count)) }
      var (read, best) = (0.0, [Double](repeating: .infinity, count: runs.count))
      for _ in 0..<turns {
        for (index, (_, run)) in runs.enumerated() {
          // More than the caches hold: every run finds its weights in memory.
          read = max(read, roof.measure(pool))
          best[index] = min(best[index], run.seconds())
        }
      }
      print("  S \(count), read \(fixed(read / 1e9, 1))")
      for ((name, run), seconds) in zip(runs, best) {
        // Rows choose their own neurons: what they read together is not counted.
        let speed = Double(run.byteCount) / seconds
        let figures = count == 1 ? "\(fixed(speed / 1e9, 1)) (\(fixed(speed / read * 100, 0))%)" : ""
        print(
          "    \(padded(name, 46)) \(padded(fixed(seconds * 1e6, 0), 6)) \(padded(figures, 11))"
            + " \(fixed(best[0] / seconds, 2))")
      }
    }
  }
}

private struct SparseForm {
  let rank: Int, hasBasis: Bool, bits: Int, candidates: Int
  /// Whether a row of the predictor is that of a group.
  var isOfGroups = false
  var down = BlockFormat.q8b32

  var name: String {
    "\(hasBasis ? "rank" : "all") \(rank), \(bits) bits\(isOfGroups ? " by group" : ""), \(candidates) candidates, down \(down)"
  }
}

/// Random operands. All numbers of x and of the rows are positive, so active neurons are never 0.
private final class FeedForwardOperands {
  private static let neurons = 18432, width = 1024, group = 8, active = 128, mostRows = 8
  private let x, up, down, projection: Tensor
  private var random = RandomOperands(low: 0, mask: 0x7f7f_7f7f_7f7f_7f7f)

  init() {
    let (neurons, width) = (Self.neurons, Self.width)
    x = random.numbers([1, Self.mostRows, width])
    projection = random.numbers([width, width])
    up = random.codes(neurons, BlockFormat.q8b32.rowBytes(width), scales: width / 32)
    down = random.codes(width, BlockFormat.q8b32.rowBytes(neurons), scales: neurons / 32)
  }

  private func x(_ rows: Int) -> Tensor { Tensor(.f32, [1, rows, Self.width], storage: x.storage) }

  func dense(rows: Int, _ pool: ThreadPool) -> KernelRun {
    let attributes: [String: AttributeValue] = [
      "activation": .string("relu_squared"), "group_size": .int(Self.group),
      "active_groups": .int(Self.active),
      "up_format": .string("q8b32"), "down_format": .string("q8b32"),
    ]
    return KernelRun(
      "feed_forward", attributes, [x(rows), up, down], resultBytes: [4 * rows * Self.width],
      byteCount: up.byteCount + down.byteCount, pool)
  }

  func sparse(_ form: SparseForm, rows count: Int, _ pool: ThreadPool) -> KernelRun {
    guard let columns = BlockColumns(form.down, rows: Self.width),
      let panels = ScanPanels(rank: form.rank, bits: form.bits)
    else { preconditionFailure("there are no such forms") }
    var attributes: [String: AttributeValue] = [
      "activation": .string("relu_squared"), "group_size": .int(Self.group),
      "active_groups": .int(Self.active),
      "candidate_groups": .int(form.candidates), "outputs": .int(Self.width), "scan_rank": .int(form.rank),
      "scan_bits": .int(form.bits), "up_format": .string("q8b32"), "down_format": .string(form.down.rawValue),
    ]
    if form.isOfGroups { attributes["scan_of"] = .string("groups") }
    let rows = form.isOfGroups ? Self.neurons / Self.group : Self.neurons
    let scan = random.codes(panels.count(rows: rows), panels.byteCount, scales: ScanPanels.rows)
    let projection = form.hasBasis ? Tensor(.f32, [form.rank, Self.width], storage: projection.storage) : nil
    let panelCount = columns.count(columns: Self.neurons)
    let parameters = columns.panelBytes - BlockFormat.blockSize * columns.columnBytes
    let down = random.codes(panelCount, columns.panelBytes, scales: parameters / 2)
    let byteCount =
      scan.byteCount + (projection.map { $0.shape[0] * Self.width * 4 } ?? 0)
      + form.candidates * Self.group * BlockFormat.q8b32.rowBytes(Self.width)
      + Self.active * (Self.group * columns.columnBytes + parameters)
    return KernelRun(
      "hire_feed_forward", attributes, [x(count), up, down, nil, scan, projection],
      resultBytes: [4 * count * Self.width], byteCount: byteCount, pool)
  }
}
