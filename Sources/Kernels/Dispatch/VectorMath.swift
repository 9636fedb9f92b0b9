import CKernels
import Tensors

/// Functions of contiguous f32 rows on the best instruction set of this machine.
///
/// Each call resolves to one C kernel; `map_lanes.h` states the error bounds. Results depend only on the
/// elements: not on alignment, not on what lies around them. `y` may be `x`.
public struct VectorMath: Sendable {
  typealias Row = UnsafePointer<Float>
  typealias MutableRow = UnsafeMutablePointer<Float>

  let linear: MicroKernelType.Linear
  let linearBF16: MicroKernelType.LinearBF16
  let linearF16: MicroKernelType.LinearF16
  private let linearQ8B32, linearQ6B16, linearQ5B32, linearQ4B32, linearQ8N32,
    linearQ4N32: MicroKernelType.LinearBlocks
  let quantizeRows: MicroKernelType.QuantizeRows
  private let scanU4, scanU8: MicroKernelType.Scan
  let select: MicroKernelType.Select
  let weightedSum: MicroKernelType.WeightedSum
  let weightedSumF16: MicroKernelType.WeightedSumF16
  let narrow: MicroKernelType.Narrow
  private let weightedRows: [BlockFormat: MicroKernelType.WeightedRows]
  let exp, tanh, sigmoid, silu, gelu, geluTanh: MicroKernelType.Map
  let maximum: MicroKernelType.Maximum
  let expSum: MicroKernelType.ExpSum
  let scale: MicroKernelType.Scale
  let rmsNorm: MicroKernelType.RMSNorm

  /// - Parameter choose: the kernel of a family.
  init(_ choose: (String) -> MicroKernel) {
    func map(_ family: String) -> MicroKernelType.Map { choose(family).pointer(as: MicroKernelType.Map.self) }
    linear = choose("linear_f32").pointer(as: MicroKernelType.Linear.self)
    func blocks(_ format: BlockFormat) -> MicroKernelType.LinearBlocks {
      choose("linear_\(format)").pointer(as: MicroKernelType.LinearBlocks.self)
    }
    linearBF16 = choose("linear_bf16").pointer(as: MicroKernelType.LinearBF16.self)
    linearF16 = choose("linear_f16").pointer(as: MicroKernelType.LinearF16.self)
    linearQ8B32 = blocks(.q8b32)
    linearQ6B16 = blocks(.q6b16)
    linearQ5B32 = blocks(.q5b32)
    linearQ4B32 = blocks(.q4b32)
    linearQ8N32 = blocks(.q8n32)
    linearQ4N32 = blocks(.q4n32)
    quantizeRows = choose("quantize_rows_f32").pointer(as: MicroKernelType.QuantizeRows.self)
    scanU4 = choose("scan_u4").pointer(as: MicroKernelType.Scan.self)
    scanU8 = choose("scan_u8").pointer(as: MicroKernelType.Scan.self)
    select = choose("select_f32").pointer(as: MicroKernelType.Select.self)
    weightedSum = choose("weighted_sum_f32").pointer(as: MicroKernelType.WeightedSum.self)
    weightedSumF16 = choose("weighted_sum_f16").pointer(as: MicroKernelType.WeightedSumF16.self)
    narrow = choose("narrow_f16").pointer(as: MicroKernelType.Narrow.self)
    weightedRows = Dictionary(
      uniqueKeysWithValues: BlockColumns.formats.map {
        ($0, choose("weighted_rows_\($0)").pointer(as: MicroKernelType.WeightedRows.self))
      })
    exp = map("exp_f32")
    tanh = map("tanh_f32")
    sigmoid = map("sigmoid_f32")
    silu = map("silu_f32")
    gelu = map("gelu_f32")
    geluTanh = map("gelu_tanh_f32")
    maximum = choose("max_f32").pointer(as: MicroKernelType.Maximum.self)
    expSum = choose("exp_sum_f32").pointer(as: MicroKernelType.ExpSum.self)
    scale = choose("scale_f32").pointer(as: MicroKernelType.Scale.self)
    rmsNorm = choose("rms_norm_f32").pointer(as: MicroKernelType.RMSNorm.self)
  }

  /// The best kernels of this machine.
  static let best = VectorMath { MicroKernel.best($0) }

  /// The product with weights in blocks.
  func linearBlocks(_ format: BlockFormat) -> MicroKernelType.LinearBlocks {
    switch format {
    case .q8b32: linearQ8B32
    case .q6b16: linearQ6B16
    case .q5b32: linearQ5B32
    case .q4b32: linearQ4B32
    case .q8n32: linearQ8N32
    case .q4n32: linearQ4N32
    case .bf16, .f32: preconditionFailure("'\(format)' has no blocks")
    }
  }

  /// Sums of columns of weights in blocks.
  func weightedRows(_ format: BlockFormat) -> MicroKernelType.WeightedRows { weightedRows[format]! }

  /// The scores of rows of codes of 4 or 8 bits.
  func scan(bits: Int) -> MicroKernelType.Scan { bits == 4 ? scanU4 : scanU8 }

  /// y = softmax(x): exp(x - max) over its sum. A row of minus infinities becomes NaN.
  func softmax(_ x: Row, _ y: MutableRow, count: Int) {
    let sum = expSum(count, x, maximum(count, x), y)
    scale(count, y, 1 / sum, y)
  }

  /// The sum of products, as one output of `linear`.
  func dot(_ a: Row, _ b: Row, count: Int) -> Float {
    var result: Float = 0
    withUnsafeMutablePointer(to: &result) { result in
      var call = ck_linear_f32(
        rows: 1, inner: count, n0: 0, n1: 1, x: a, w: b, bias: nil, y: result, x_stride: count,
        w_stride: count,
        y_stride: 1)
      linear(&call)
    }
    return result
  }
}
