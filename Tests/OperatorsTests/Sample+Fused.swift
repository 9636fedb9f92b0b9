import Kernels
import Tensors

/// The operators that passes form from several nodes of a decoder.
extension Sample {
  static let fused: [Sample] = embeddings + residuals + products + selfAttentions

  private static let embeddings: [Sample] = [
    Sample("embedding", [Tensor(i64: [4, 0, -1, 2], [2, 2]), ramp(5, 3)], ["scale": .float(1.5)]),
    Sample(
      "embedding",
      [
        Tensor(i32: [4, 0, 1, 2, 3, 3], [2, 3]), ramp(5, 4), Tensor(i64: [6, 0, 2], [1, 3]),
        ramp(7, 4, offset: 1),
      ]
    ),
  ]

  private static let residuals: [Sample] = [
    Sample("residual_normalization", [ramp(2, 3, 4), ramp(2, 3, 4, offset: 0), ramp(4)], results: 2),
    Sample(
      "residual_normalization",
      [ramp(2, 3, 4), ramp(2, 3, 4, offset: 0), ramp(4), ramp(4), ramp(4, offset: 1)],
      ["epsilon": .float(1e-6), "branch_epsilon": .float(1e-3)], results: 2),
    Sample(
      "residual_normalization", [ramp(3, 4), ramp(3, 4, offset: 0), ramp(4), ramp(4)], ["centered": .int(1)],
      results: 2),
    Sample("residual_normalization", [ramp(3, 4), ramp(3, 4, offset: 0), ramp(4), nil, ramp(4)]),
  ]

  private static let products: [Sample] =
    ["relu", "relu_squared", "gelu", "gelu_tanh", "silu"].flatMap { activation in
      [
        Sample(
          "feed_forward", [ramp(2, 3, 4), ramp(6, 4), ramp(5, 6), ramp(6, 4, offset: -0.5)],
          ["activation": .string(activation)]),
        Sample(
          "feed_forward", [ramp(3, 4), ramp(6, 4), ramp(5, 6), nil, ramp(6), ramp(5)],
          ["activation": .string(activation), "group_size": .int(2), "active_groups": .int(1)],
          isSymbolic: false),
      ]
    } + [
      Sample(
        "feed_forward",
        [ramp(4), ramp(6, 4), ramp(5, 6), ramp(6, 4, offset: -0.5), ramp(6), ramp(5), ramp(6, offset: 0)],
        ["activation": .string("gelu_tanh"), "group_size": .int(3), "active_groups": .int(2)],
        isSymbolic: false),
      Sample(
        "feed_forward", [ramp(2, 3, 4), ramp(6, 4), ramp(5, 6), ramp(6, 4, offset: -0.5)],
        ["activation": .string("gelu_tanh"), "cutoff": .float(0.5)]),
      Sample("lm_head", [ramp(2, 3, 4), ramp(7, 4)]),
      Sample("lm_head", [ramp(2, 3, 4), ramp(7, 4), ramp(7)], ["softcap": .float(3), "last_only": .int(1)]),
      Sample(
        "hire_feed_forward",
        [ramp(2, 3, 4), ramp(6, 4), columns(.q8b32, 6, outputs: 5), ramp(6, 4, offset: -0.5)],
        [
          "activation": .string("silu"), "group_size": .int(2), "candidate_groups": .int(2),
          "outputs": .int(5),
          "down_format": .string("q8b32"), "cutoff": .float(0.5),
        ], isSymbolic: false),
      Sample(
        "unpack_columns", [columns(.q4b32, 40, outputs: 5)],
        ["format": .string("q4b32"), "rows": .int(5), "columns": .int(40)], isSymbolic: false),
      // All rows of one shard, in the order of their logits.
      Sample(
        "hire_lm_head",
        [
          Tensor(f32: [1, 2, 3, 4], [1, 1, 4]), Tensor(f32: (0..<28).map { Float(6 - $0 / 4) }, [7, 4]),
          ramp(32, 4), Tensor(.u8, [1, 96]), Tensor(i32: [0, 1, 2, 3, 4, 5, 6]),
        ],
        [
          "scan_rank": .int(8), "scan_bits": .int(4), "shard_rows": .int(16), "candidates": .int(7),
          "softcap": .float(30),
        ], results: 3, isSymbolic: false),
      certifyRows,
    ]

  /// Columns of zeros.
  private static func columns(_ format: BlockFormat, _ count: Int, outputs: Int) -> Tensor {
    let layout = BlockColumns(format, rows: outputs)!
    return Tensor(.u8, [layout.count(columns: count), layout.panelBytes])
  }

  /// Three of seven rows reach the threshold.
  private static let certifyRows: Sample = {
    let weight = Tensor(f32: (0..<28).map { Float(6 - $0 / 4) }, [7, 4])
    let bounds = RowBoundTensors(
      WeightMatrix(.f32, weight.base, rows: 7, columns: 4), in: .q8b32, metric: nil,
      pool: ThreadPool(threadCount: 1))
    return Sample(
      "certify_rows",
      [
        Tensor(f32: [1, 2, 3, 4], [1, 1, 4]), Tensor(f32: [25], [1, 1]), weight, bounds.weight, bounds.error,
        bounds.slack,
      ], ["bound_format": .string("q8b32"), "capacity": .int(3), "softcap": .float(30)], results: 3,
      isSymbolic: false)
  }()

  private static let heads: [String: AttributeValue] = ["num_heads": .int(4), "kv_num_heads": .int(2)]
  private static let caches = [ramp(2, 2, 5, 6), ramp(2, 2, 5, 6, offset: 0)]

  private static let selfAttentions: [Sample] = [
    Sample("self_attention", [ramp(2, 3, 48)], heads, results: 3, isSymbolic: false),
    Sample(
      "self_attention", [ramp(2, 3, 48)] + caches,
      heads.merging(["softcap": .float(2), "scale": .float(0.5), "window": .int(4)]) { $1 }, results: 3,
      isSymbolic: false),
    Sample(
      "self_attention",
      [ramp(2, 3, 48)] + caches + [
        ramp(6), ramp(6, offset: 0), ramp(9, 3), ramp(9, 3, offset: 0),
        Tensor(i64: [5, 6, 7, 2, 3, 4], [2, 3]),
        Tensor(i64: [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], [2, 8]), ramp(4),
      ], heads, results: 3, isSymbolic: false),
    Sample(
      "self_attention",
      [ramp(2, 3, 48)] + caches + [
        nil, ramp(6), ramp(9, 2), ramp(9, 2, offset: 0), nil,
        Tensor(bool: (0..<16).map { $0 % 3 > 0 }, [2, 8]),
      ],
      heads.merging(["is_causal": .int(0), "interleaved": .int(1), "epsilon": .float(0.01)]) { $1 },
      results: 3, isSymbolic: false),
    Sample(
      "self_attention", [ramp(2, 3, 48)] + caches.map { $0.converted(to: .f16) }, heads, results: 3,
      isSymbolic: false),
    Sample(
      "self_attention",
      [
        ramp(1, 4, 20), nil, nil, nil, nil, nil, nil, nil, nil, ramp(3),
      ], ["num_heads": .int(3), "kv_num_heads": .int(1)], isSymbolic: false),
  ]
}
