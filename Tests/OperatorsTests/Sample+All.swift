import Tensors

extension Sample {
  static let all: [Sample] =
    unary + binary + reductions + products + normalizations + composites + movement + indexing + attentions
    + quantizations + fused

  private static let unary: [Sample] =
    [
      "abs", "neg", "sign", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf",
      "exp",
      "floor", "log", "reciprocal", "round", "sin", "sinh", "sqrt", "tan", "tanh", "identity", "is_nan",
      "is_inf",
      "celu", "elu", "gelu", "hard_sigmoid", "hard_swish", "leaky_relu", "mish", "relu", "selu", "shrink",
      "sigmoid",
      "softplus", "softsign", "swish", "thresholded_relu",
    ].map { Sample($0, [ramp(2, 3)]) } + [
      Sample("gelu", [ramp(2, 3)], ["approximate": .string("tanh")]),
      Sample("swish", [ramp(2, 3)], ["alpha": .float(0.5)]),
      Sample("swiglu", [ramp(2, 3), ramp(2, 3, offset: 0)]),
      Sample("not", [Tensor(bool: [true, false])]),
      Sample("bitwise_not", [Tensor(i64: [0, 5, -3])]),
      Sample("neg", [Tensor(i64: [0, 5, -3])]),
      Sample("abs", [Tensor(i64: [0, 5, -3])]),
      Sample("clip", [ramp(5), Tensor(f32: [-0.5], []), nil]),
      Sample("clip", [Tensor(i64: [-3, 0, 9]), Tensor(i64: [-1], []), Tensor(i64: [4], [])]),
      Sample("dropout", [ramp(2, 3)], results: 2),
    ]

  private static let binary: [Sample] =
    [
      "add", "sub", "mul", "div", "mod", "max", "min", "sum", "equal", "greater", "greater_or_equal", "less",
      "less_or_equal",
    ].flatMap { name in
      [
        Sample(name, [ramp(2, 3), ramp(3, offset: 0.25)], name == "mod" ? ["fmod": .int(1)] : [:]),
        Sample(name, [Tensor(i64: [7, -7, 8], [3, 1]), Tensor(i64: [2, -3], [2])]),
      ]
    } + [
      Sample("mean", [ramp(2, 3), ramp(3), ramp(1)]),
      Sample("pow", [ramp(2, 3), Tensor(i64: [2], [])]),
      Sample("prelu", [ramp(2, 3), ramp(3)]),
      Sample("and", [Tensor(bool: [true, true, false]), Tensor(bool: [true, false, false])]),
      Sample("or", [Tensor(bool: [true, true, false]), Tensor(bool: [true, false, false])]),
      Sample("xor", [Tensor(bool: [true, true, false]), Tensor(bool: [true, false, false])]),
      Sample("bitwise_and", [Tensor(i64: [6, 5]), Tensor(i64: [3])]),
      Sample("bitwise_or", [Tensor(i64: [6, 5]), Tensor(i64: [3])]),
      Sample("bitwise_xor", [Tensor(i64: [6, 5]), Tensor(i64: [3])]),
      Sample("bit_shift", [Tensor(i64: [6, 5]), Tensor(i64: [1])], ["direction": .string("LEFT")]),
      Sample(
        "where", [Tensor(bool: [true, false], [2, 1]), Tensor(i64: [1, 2, 3]), Tensor(i64: [9], [])]),
    ]

  private static let reductions: [Sample] =
    ["sum", "mean", "max", "min", "prod", "l1", "l2", "log_sum", "log_sum_exp", "sum_square"].flatMap {
      name in
      [
        Sample("reduce_\(name)", [ramp(2, 3, 4, offset: 1), Tensor(i64: [0, -1])], ["keepdims": .int(0)]),
        Sample("reduce_\(name)", [ramp(2, 3, 4, offset: 1)]),
      ]
    } + [
      Sample("reduce_sum", [Tensor(i64: [3, 4, 5])], ["keepdims": .int(0)]),
      Sample("reduce_prod", [Tensor(i64: [3, 4, 5])], ["keepdims": .int(0)]),
      Sample("reduce_max", [Tensor(i64: [3, 4, 5])], ["keepdims": .int(0)]),
      Sample("arg_max", [ramp(2, 3)], ["axis": .int(1), "keepdims": .int(0)]),
      Sample("arg_min", [ramp(2, 3)]),
      Sample("cum_sum", [Tensor(i64: [3, 4, 5]), Tensor(i64: [0], [])]),
      Sample("cum_prod", [ramp(2, 3), Tensor(i64: [1], [])], ["reverse": .int(1)]),
      Sample("softmax", [ramp(2, 3, 4)], ["axis": .int(1)]),
      Sample("log_softmax", [ramp(2, 3)]),
      Sample("hardmax", [ramp(2, 3)]),
      Sample("lp_normalization", [ramp(2, 3)]),
    ]

  private static let products: [Sample] = [
    Sample("matmul", [ramp(2, 1, 3, 4), ramp(5, 4, 6)]),
    Sample("matmul", [ramp(4), ramp(4, 6)]),
    Sample("matmul", [ramp(2, 3, 4), ramp(4)]),
    Sample("linear", [ramp(2, 3, 4), ramp(5, 4), ramp(5)]),
    Sample("linear", [ramp(3, 4), ramp(5, 4)]),
    Sample(
      "gemm", [ramp(4, 3), ramp(5, 4), ramp(5)],
      ["transA": .int(1), "transB": .int(1), "alpha": .float(0.5)]),
    Sample("einsum", [ramp(2, 3, 4), ramp(4, 5)], ["equation": .string("...i,ij->...j")]),
    Sample("einsum", [ramp(3, 3)], ["equation": .string("ii")]),
    Sample("det", [ramp(2, 3, 3)]),
    Sample(
      "matmul_integer",
      [bytes([1, 2, 3, 4, 5, 6], [2, 3]), bytes([7, 8, 9], [3, 1])]),
  ]

  private static let normalizations: [Sample] = [
    Sample("layer_normalization", [ramp(2, 3, 4), ramp(4), ramp(4)], results: 3),
    Sample("layer_normalization", [ramp(2, 3, 4), ramp(3, 4)], ["axis": .int(1)]),
    Sample("rms_normalization", [ramp(2, 3, 4), ramp(4)]),
    Sample("simplified_layer_normalization", [ramp(2, 3, 4), ramp(4)], results: 2),
    Sample("skip_layer_normalization", [ramp(2, 3, 4), ramp(2, 3, 4), ramp(4), nil, ramp(4)], results: 4),
    Sample("skip_simplified_layer_normalization", [ramp(2, 3, 4), ramp(2, 3, 4), ramp(4)], results: 4),
    Sample("group_normalization", [ramp(2, 6, 5), ramp(6), ramp(6)], ["num_groups": .int(3)]),
    Sample("instance_normalization", [ramp(2, 6, 5), ramp(6), ramp(6)]),
    Sample("batch_normalization", [ramp(2, 6, 5), ramp(6), ramp(6), ramp(6), ramp(6, offset: 1)]),
    Sample("lrn", [ramp(2, 6, 5)], ["size": .int(3)]),
    Sample("mean_variance_normalization", [ramp(2, 3, 4, 5)]),
  ]

  private static func bytes(_ values: [UInt8], _ shape: [Int]) -> Tensor {
    Tensor(.u8, shape, values: values)
  }

  private static let composites: [Sample] = [
    Sample(
      "qlinear_matmul",
      [
        bytes([1, 2, 3, 4], [2, 2]), Tensor(f32: [0.5], []), bytes([1], []), bytes([5, 6, 7, 8], [2, 2]),
        Tensor(f32: [0.25], []), bytes([2], []), Tensor(f32: [0.125], []), bytes([3], []),
      ], isSymbolic: false),
    Sample("center_crop_pad", [ramp(4, 3), Tensor(i64: [2, 5])], isSymbolic: false),
    Sample(
      "microsoft_rotary_embedding",
      [ramp(1, 2, 3, 4), Tensor(i64: [0, 1, 2], [1, 3]), ramp(8, 2), ramp(8, 2)],
      isSymbolic: false),
    Sample(
      "multi_head_attention", [ramp(1, 3, 8), ramp(1, 5, 8), ramp(1, 5, 8)], ["num_heads": .int(2)],
      isSymbolic: false),
    Sample(
      "group_query_attention",
      [
        ramp(1, 3, 8), ramp(1, 3, 4), ramp(1, 3, 4), Tensor(.f32, [1, 1, 0, 4]), Tensor(.f32, [1, 1, 0, 4]),
        Tensor(i32: [2]), Tensor(i32: [3], []),
      ], ["num_heads": .int(2), "kv_num_heads": .int(1)], results: 3, isSymbolic: false),
  ]
}
