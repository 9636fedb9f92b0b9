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
        let run = HireRun(
          head, rows, bits, survivors: shape.survivors, shape.format, candidates: shape.candidates, pool)
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
    var state: UInt64 = 1
    func next() -> UInt64 {
      state = state &* 6364136223846793005 &+ 1442695040888963407
      return state ^ state >> 29
    }
    func numbers(_ shape: [Int]) -> Tensor {
      Tensor(f32: (0..<shape.reduce(1, *)).map { _ in Float(Int(next() >> 40)) / Float(1 << 23) - 1 }, shape)
    }
    /// Rows of `count` bytes that end with `scales` scales.
    func codes(_ rows: Int, _ count: Int, scales: Int) -> Tensor {
      let tensor = Tensor(.u8, [rows, count])
      for row in 0..<rows {
        let bytes = tensor.base + row * count
        for offset in stride(from: 0, to: count, by: 8) {
          bytes.storeBytes(of: next(), toByteOffset: offset, as: UInt64.self)
        }
        for index in 1...scales {
          bytes.storeBytes(of: 0.01, toByteOffset: count - index * 2, as: Float16.self)
        }
      }
      return tensor
    }
    x = numbers([1, Self.mostRows, inner])
    projection = numbers([rank, inner])
    weight = codes(vocabulary, BlockFormat.q8b32.rowBytes(inner), scales: inner / 32)
    // q4b32 has a scale and a minimum.
    rows = [
      .q8b32: codes(vocabulary, BlockFormat.q8b32.rowBytes(rank), scales: rank / 32),
      .q4b32: codes(vocabulary, BlockFormat.q4b32.rowBytes(rank), scales: rank / 16),
    ]
    scans = Dictionary(
      uniqueKeysWithValues: [4, 8].map { bits in
        let panels = ScanPanels(rank: Self.scanRank, bits: bits)!
        return (bits, codes(panels.count(rows: vocabulary), panels.byteCount, scales: ScanPanels.rows))
      })
    // A step that shares no factor with the vocabulary: rows far from each other.
    ids = Tensor(i32: (0..<vocabulary).map { Int32(truncatingIfNeeded: $0 * 100_003 % vocabulary) })
  }
}

/// One form of the head, ready to run.
private final class HireRun: ResultMemory {
  /// Bytes that a run reads.
  let byteCount: Int
  private let kernel: any Kernel
  private var table: [TensorView]
  private let operandIDs: [Int32], resultIDs: [Int32]
  private let operands: [Tensor?]
  private let results: [TensorStorage]
  private let resources: Resources

  /// - Parameter survivors: nil for one stage.
  init(
    _ head: HireOperands, _ rows: Int, _ bits: Int, survivors: Int?, _ format: BlockFormat, candidates: Int,
    _ pool: ThreadPool
  ) {
    typealias Shape = HireOperands
    let attributes: [String: AttributeValue] = [
      "weight_format": .string("q8b32"), "rows_format": .string(format.rawValue),
      "scan_rank": .int(Shape.scanRank), "scan_bits": .int(bits),
      "shard_rows": .int(4096), "survivors": .int(survivors ?? candidates), "candidates": .int(candidates),
    ]
    guard let kernel = try? KernelTable.entries["hire_lm_head"]!.prepare(Attributes(attributes)) else {
      preconditionFailure("the head is refused")
    }
    self.kernel = kernel
    let x = Tensor(.f32, [1, rows, Shape.inner], storage: head.x.storage)
    let operands = [
      x, head.weight, head.projection, head.scans[bits]!, head.ids,
      survivors == nil ? nil : head.rows[format]!,
    ]
    self.operands = operands
    resources = Resources(pool: pool)
    table =
      operands.map { $0.map { TensorView($0) } ?? TensorView(x) } + Array(repeating: TensorView(x), count: 3)
    operandIDs = operands.indices.map { operands[$0] == nil ? -1 : Int32($0) }
    resultIDs = [6, 7, 8]
    let shards = Shape.vocabulary / 4096
    results = [4 * candidates * shards * rows, 4 * candidates * shards * rows, 4 * rows].map {
      TensorStorage(byteCount: $0)
    }
    let (second, exact) = (format.rowBytes(Shape.rank), BlockFormat.q8b32.rowBytes(Shape.inner))
    byteCount =
      head.projection.byteCount + head.scans[bits]!.byteCount
      + rows * shards * ((survivors ?? 0) * second + candidates * exact)
  }

  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer { results[value - 6].base }

  func seconds() -> Double {
    resources.reset()
    return elapsed {
      table.withUnsafeMutableBufferPointer { table in
        operandIDs.withUnsafeBufferPointer { operandIDs in
          resultIDs.withUnsafeBufferPointer { resultIDs in
            let call = KernelCall(
              table: table.baseAddress!, operandIDs: operandIDs, resultIDs: resultIDs, memory: self,
              resources: resources)
            guard (try? kernel.run(call)) != nil else { preconditionFailure("the head is refused") }
          }
        }
      }
    }
  }
}
