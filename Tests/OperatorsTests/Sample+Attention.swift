import Tensors

extension Sample {
  private static let heads: [String: AttributeValue] = ["q_num_heads": .int(4), "kv_num_heads": .int(2)]
  private static let angles = [ramp(16, 4), ramp(16, 4, offset: -0.5)]

  static let attentions: [Sample] = [
    Sample("attention", [ramp(2, 4, 3, 8), ramp(2, 2, 5, 8), ramp(2, 2, 5, 6)], ["softcap": .float(2)]),
    Sample(
      "attention", [ramp(2, 3, 32), ramp(2, 3, 16), ramp(2, 3, 16), nil, ramp(2, 2, 5, 8), ramp(2, 2, 5, 8)],
      heads.merging(["is_causal": .int(1), "left_window_size": .int(2)]) { $1 }, results: 3, isSymbolic: false
    ),
    Sample(
      "attention",
      [
        ramp(1, 2, 3, 8), ramp(1, 2, 5, 8), ramp(1, 2, 5, 8), Tensor(bool: [true, false, true, true, false]),
      ],
      ["qk_matmul_output_mode": .int(3)], results: 4),
    Sample("rotary_embedding", [ramp(1, 5, 24), ramp(1, 5, 4), ramp(1, 5, 4)], ["num_heads": .int(3)]),
    Sample(
      "rotary_embedding", [ramp(1, 3, 2, 12)] + angles + [Tensor(i64: [3, 7], [1, 2])],
      ["interleaved": .int(1), "rotary_embedding_dim": .int(8)]),
    Sample(
      "microsoft_rotary_embedding", [ramp(1, 5, 16), Tensor(i64: [2])] + angles, isSymbolic: false),
    Sample(
      "group_query_attention",
      [
        ramp(1, 3, 64), nil, nil, ramp(1, 2, 5, 8), ramp(1, 2, 5, 8), Tensor(i32: [7]), Tensor(i32: [8], []),
        angles[0], angles[1],
      ],
      ["num_heads": .int(4), "kv_num_heads": .int(2), "do_rotary": .int(1), "local_window_size": .int(3)],
      results: 3, isSymbolic: false),
  ]

  static let quantizations: [Sample] = [
    Sample("quantize_linear", [ramp(2, 3), Tensor(f32: [0.1], []), Tensor(.i8, [], values: [Int8(3)])]),
    Sample("quantize_linear", [ramp(2, 3), Tensor(f32: [0.1, 0.2, 0.3])], ["output_dtype": .element(.i4)]),
    Sample("dequantize_linear", [codes(2, 6), ramp(2, 3, offset: 1)], ["block_size": .int(2)]),
    Sample("dequantize_linear", [codes(4, 3), ramp(4), codes(4)], ["axis": .int(0)]),
    Sample("dynamic_quantize_linear", [ramp(2, 3)], results: 3),
    Sample("pack_blocks", [ramp(3, 70)], ["format": .string("q8b32")], isSymbolic: false),
    Sample("pack_blocks", [ramp(3, 70)], ["format": .string("bf16")], isSymbolic: false),
    Sample(
      "unpack_blocks", [codes(3, 64)], ["format": .string("q4b32"), "columns": .int(70)], isSymbolic: false),
    nbits(4, columns: 40, depth: 96, zeros: nil),
    nbits(4, columns: 40, depth: 80, zeros: codes(40, 2)),
    nbits(2, columns: 5, depth: 64, zeros: ramp(5, 2)),
    nbits(8, columns: 5, depth: 64, zeros: codes(5, 2)),
    Sample(
      "gather_block_quantized", [codes(6, 16), Tensor(i64: [5, -6, 2]), ramp(6, 2)],
      ["block_size": .int(16), "bits": .int(4)], isSymbolic: false),
  ]

  private static func nbits(_ bits: Int, columns: Int, depth: Int, zeros: Tensor?) -> Sample {
    let blocks = (depth + 31) / 32
    return Sample(
      "matmul_nbits",
      [
        ramp(2, 3, depth), codes(columns, blocks, 4 * bits), ramp(columns, blocks), zeros, nil, ramp(columns),
      ],
      ["K": .int(depth), "N": .int(columns), "bits": .int(bits), "block_size": .int(32)], isSymbolic: false)
  }
}

/// Bytes that take all values.
func codes(_ shape: Int...) -> Tensor {
  Tensor(.u8, shape, values: (0..<shape.reduce(1, *)).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ 11) })
}
