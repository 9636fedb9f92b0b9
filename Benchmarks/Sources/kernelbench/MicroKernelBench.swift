import CKernels
import Kernels
import Tensors

/// Every kernel of `kernels.def` that this machine can run, on operands that the cache of a core holds.
enum MicroKernelBench {
  static func run() {
    print("every kernel, operands in the cache, 1 thread: billions per second, times the portable one")
    let operands = Operands()
    for family in MicroKernel.families {
      guard let work = operands.work(family) else { preconditionFailure("'\(family)' has no benchmark") }
      var portable: Double?
      for kernel in MicroKernel.all where kernel.family == family && kernel.isRunnable {
        let body = work.body(kernel)
        let seconds = (0..<40).map { _ in elapsed { for turn in 0..<8 { body(turn) } } }.min()! / 8
        let speed = Double(work.count) / seconds / 1e9
        let times = speed / (portable ?? speed)
        portable = portable ?? speed
        print("  \(padded(kernel.name, 36)) \(padded(fixed(speed, 2), 7)) \(work.unit) x\(fixed(times, 1))")
      }
    }
  }
}

/// What a family does in one call.
private struct Work {
  let count: Int
  /// What is counted: products of sums, or numbers of a row.
  let unit: String
  let body: (MicroKernel) -> (_ turn: Int) -> Void
}

/// Operands of all families: S rows, K numbers each, N results, or one row of `length`.
private struct Operands {
  private let rows = 4, inner = 640, columns = 64, length = 4096
  private let x: UnsafeMutablePointer<Float>, y: UnsafeMutablePointer<Float>
  /// K x N, at the start of which any format finds valid weights.
  private let weights: UnsafeMutableRawPointer

  init() {
    let count = inner * columns
    x = .allocate(capacity: count)
    y = .allocate(capacity: count)
    weights = .allocate(byteCount: count * 4, alignment: 64)
    // Sums of a few random numbers: about as activations and scores are distributed.
    var state: UInt64 = 1
    for index in 0..<count {
      x[index] = (0..<6).reduce(0) { sum, _ in
        state = state &* 6364136223846793005 &+ 1442695040888963407
        return sum + Float(Int64(bitPattern: state) >> 40) / 0x1p23
      }
      y[index] = 0
    }
    weights.initializeMemory(as: UInt8.self, repeating: 0, count: count * 4)
  }

  func work(_ family: String) -> Work? {
    switch family {
    case "linear_f32": linearF32()
    case "linear_bf16": linearBF16()
    case "linear_f16": linearF16()
    case "quantize_rows_f32": quantizeRows()
    case "scan_u4": scan(bits: 4)
    case "scan_u8": scan(bits: 8)
    case "select_f32": select()
    case "weighted_sum_f32": weightedSum()
    case "weighted_sum_f16": weightedSumF16()
    case "narrow_f16": narrow()
    case "max_f32": maximum()
    case "exp_sum_f32": expSum()
    case "scale_f32": scale()
    case "rms_norm_f32": rmsNorm()
    case "exp_f32", "tanh_f32", "sigmoid_f32", "silu_f32", "gelu_f32", "gelu_tanh_f32": mapping()
    default:
      format(of: family, "linear_").map { linear($0) }
        ?? format(of: family, "weighted_rows_").flatMap { weightedRows($0) }
    }
  }

  private func format(of family: String, _ prefix: String) -> BlockFormat? {
    family.hasPrefix(prefix) ? BlockFormat(rawValue: String(family.dropFirst(prefix.count))) : nil
  }

  private func products(_ count: Int, _ body: @escaping (MicroKernel) -> (Int) -> Void) -> Work {
    Work(count: count, unit: "products", body: body)
  }

  private func numbers(_ count: Int? = nil, _ body: @escaping (MicroKernel) -> (Int) -> Void) -> Work {
    Work(count: count ?? length, unit: "numbers", body: body)
  }

  // MARK: Products

  private func linearF32() -> Work {
    products(rows * inner * columns) { kernel in
      let run = kernel.pointer(as: (@convention(c) (UnsafePointer<ck_linear_f32>) -> Void).self)
      var call = ck_linear_f32(
        rows: rows, inner: inner, n0: 0, n1: columns, x: x, w: x, bias: nil, y: y, x_stride: inner,
        w_stride: inner, y_stride: columns)
      return { _ in run(&call) }
    }
  }

  private func linearBF16() -> Work {
    products(rows * inner * columns) { kernel in
      let run = kernel.pointer(as: (@convention(c) (UnsafePointer<ck_linear_bf16>) -> Void).self)
      var call = ck_linear_bf16(
        rows: rows, inner: inner, n0: 0, n1: columns, x: x, w: weights.assumingMemoryBound(to: UInt16.self),
        bias: nil, y: y, x_stride: inner, w_stride: inner, y_stride: columns)
      return { _ in run(&call) }
    }
  }

  private func linearF16() -> Work {
    products(rows * inner * columns) { kernel in
      let run = kernel.pointer(as: (@convention(c) (UnsafePointer<ck_linear_f16>) -> Void).self)
      var call = ck_linear_f16(
        rows: rows, inner: inner, n0: 0, n1: columns, x: x, w: weights.assumingMemoryBound(to: ck_f16.self),
        bias: nil, y: y, x_stride: inner, w_stride: inner, y_stride: columns)
      return { _ in run(&call) }
    }
  }

  private func linear(_ format: BlockFormat) -> Work {
    let row = Array(UnsafeBufferPointer(start: x, count: inner))
    for index in 0..<columns {
      format.encode(row, columns: inner, into: weights, row: index, of: columns)
    }
    let stride = ck_quantized_row_bytes(inner)
    let quantized = UnsafeMutableRawPointer.allocate(byteCount: rows * stride, alignment: 64)
    MicroKernel.best("quantize_rows_f32").pointer(as: QuantizeRows.self)(
      [ck_quantize_rows_f32(rows: rows, inner: inner, x: x, q: quantized, x_stride: inner, q_stride: stride)])
    return products(rows * inner * columns) { kernel in
      let run = kernel.pointer(as: (@convention(c) (UnsafePointer<ck_linear_blocks>) -> Void).self)
      var call = ck_linear_blocks(
        rows: rows, inner: inner, n0: 0, n1: columns, x: quantized, w: weights,
        low: format.rest(of: weights, rows: columns, columns: inner), bias: nil, y: y, x_stride: stride,
        w_stride: format.firstBytes(inner), y_stride: columns, list: nil)
      return { _ in run(&call) }
    }
  }

  private func scan(bits: Int) -> Work {
    let rank = 64, panels = 16
    let layout = ScanPanels(rank: rank, bits: bits)!
    layout.encode(x, rows: panels * ScanPanels.rows, stride: rank, into: weights)
    let q = UnsafeMutablePointer<Int8>.allocate(capacity: rank)
    for index in 0..<rank { q[index] = Int8(index - rank / 2) }
    return products(rank * panels * ScanPanels.rows) { kernel in
      let run = kernel.pointer(as: (@convention(c) (UnsafePointer<ck_scan>) -> Void).self)
      let sums = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
      sums.initialize(to: -32)
      var call = ck_scan(
        rows: 1, rank: rank, panels: panels, codes: weights, q: q, scales: x, sums: sums, y: y, q_stride: rank,
        y_stride: panels * ScanPanels.rows)
      return { _ in run(&call) }
    }
  }

  private func weightedSum() -> Work {
    let width = 256, keys = 64
    return products(rows * keys * width) { kernel in
      let run = kernel.pointer(as: (@convention(c) (UnsafePointer<ck_weighted_sum_f32>) -> Void).self)
      var call = ck_weighted_sum_f32(
        rows: rows, inner: keys, columns: width, p: x, v: x, y: y, p_stride: keys, v_stride: width,
        y_stride: width, adds: false)
      return { _ in run(&call) }
    }
  }

  private func weightedSumF16() -> Work {
    let width = 256, keys = 64
    return products(rows * keys * width) { kernel in
      let run = kernel.pointer(as: (@convention(c) (UnsafePointer<ck_weighted_sum_f16>) -> Void).self)
      var call = ck_weighted_sum_f16(
        rows: rows, inner: keys, columns: width, p: x, v: weights.assumingMemoryBound(to: ck_f16.self), y: y,
        p_stride: keys, v_stride: width, y_stride: width, adds: false)
      return { _ in run(&call) }
    }
  }

  /// Every other column of 2 N, with results of K numbers.
  private func weightedRows(_ format: BlockFormat) -> Work? {
    guard let layout = BlockColumns(format, rows: inner) else { return nil }
    let panels = UnsafeMutableRawPointer.allocate(
      byteCount: layout.count(columns: columns) * layout.panelBytes, alignment: 64)
    let matrix = Array(UnsafeBufferPointer(start: x, count: inner * columns))
    for chunk in 0..<layout.chunkCount {
      layout.encode(chunk: chunk, of: matrix, columns: columns, into: panels)
    }
    let list = UnsafeMutablePointer<Int32>.allocate(capacity: columns / 2)
    for index in 0..<columns / 2 { list[index] = Int32(2 * index) }
    return products(columns / 2 * inner) { kernel in
      let run = kernel.pointer(as: (@convention(c) (UnsafePointer<ck_weighted_rows>) -> Void).self)
      var call = ck_weighted_rows(
        rows: 1, i0: 0, i1: columns / 2, outputs: inner, list: list, w: panels, p: x, y: y,
        sums: y + layout.paddedRows, p_stride: columns, y_stride: layout.paddedRows)
      return { _ in run(&call) }
    }
  }

  // MARK: Rows

  private typealias QuantizeRows = @convention(c) (UnsafePointer<ck_quantize_rows_f32>) -> Void

  private func quantizeRows() -> Work {
    numbers(rows * inner) { kernel in
      let run = kernel.pointer(as: QuantizeRows.self)
      let stride = ck_quantized_row_bytes(inner)
      var call = ck_quantize_rows_f32(
        rows: rows, inner: inner, x: x, q: y, x_stride: inner, q_stride: stride)
      return { _ in run(&call) }
    }
  }

  private func select() -> Work {
    numbers { kernel in
      typealias Select = @convention(c) (Int, UnsafePointer<Float>, Int, UnsafeMutablePointer<UInt32>) -> Void
      let run = kernel.pointer(as: Select.self)
      let places = weights.assumingMemoryBound(to: UInt32.self)
      // Other numbers every time, or the processor would learn them by heart.
      return { turn in run(length, x + 997 * turn, 64, places) }
    }
  }

  private func narrow() -> Work {
    numbers { kernel in
      typealias Narrow = @convention(c) (Int, UnsafePointer<Float>, UnsafeMutablePointer<ck_f16>) -> Void
      let run = kernel.pointer(as: Narrow.self)
      return { _ in run(length, x, weights.assumingMemoryBound(to: ck_f16.self)) }
    }
  }

  private func maximum() -> Work {
    numbers { kernel in
      let run = kernel.pointer(as: (@convention(c) (Int, UnsafePointer<Float>) -> Float).self)
      return { _ in y[0] = run(length, x) }
    }
  }

  private func expSum() -> Work {
    numbers { kernel in
      typealias ExpSum = @convention(c) (Int, UnsafePointer<Float>, Float, UnsafeMutablePointer<Float>) -> Float
      let run = kernel.pointer(as: ExpSum.self)
      return { _ in y[0] = run(length, x, 6, y) }
    }
  }

  private func scale() -> Work {
    numbers { kernel in
      typealias Scale = @convention(c) (Int, UnsafePointer<Float>, Float, UnsafeMutablePointer<Float>) -> Void
      let run = kernel.pointer(as: Scale.self)
      return { _ in run(length, x, 0.5, y) }
    }
  }

  private func rmsNorm() -> Work {
    numbers { kernel in
      typealias Norm =
        @convention(c) (Int, UnsafePointer<Float>, UnsafePointer<Float>?, Float, UnsafeMutablePointer<Float>)
        -> Void
      let run = kernel.pointer(as: Norm.self)
      return { _ in run(length, x, x, 1e-6, y) }
    }
  }

  private func mapping() -> Work {
    numbers { kernel in
      typealias Map = @convention(c) (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
      let run = kernel.pointer(as: Map.self)
      return { _ in run(length, x, y) }
    }
  }
}
