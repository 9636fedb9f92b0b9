import Tensors

/// Counts up in every element: its position tells where it went.
func count(_ shape: Int...) -> Tensor { Tensor(i64: Array(0..<shape.reduce(1, *)), shape) }

extension Sample {
  static let movement: [Sample] = [
    Sample("reshape", [ramp(2, 3, 4), Tensor(i64: [0, -1])]),
    Sample("reshape", [count(2, 6), Tensor(i64: [3, 4])], isSymbolic: false),
    Sample("flatten", [ramp(2, 3, 4)], ["axis": .int(-1)]),
    Sample("squeeze", [ramp(2, 1, 3, 1), Tensor(i64: [1, -1])]),
    Sample("unsqueeze", [ramp(2, 3), Tensor(i64: [-1, 0])]),
    Sample("transpose", [ramp(2, 3, 4)], ["perm": .ints([2, 0, 1])]),
    Sample("expand", [count(3, 1), Tensor(i64: [2, 1, 4])]),
    Sample("tile", [count(2, 3), Tensor(i64: [2, 2])]),
    Sample("concat", [count(2, 3), count(2, 5), count(2, 1)], ["axis": .int(1)]),
    Sample("concat", [Tensor(i64: [4]), Tensor(i64: [5, 6])], ["axis": .int(0)]),
    Sample("split", [ramp(2, 7), Tensor(i64: [3, 4])], ["axis": .int(1)], results: 2),
    Sample("split", [ramp(2, 7)], ["axis": .int(1), "num_outputs": .int(3)], results: 3),
    Sample(
      "slice",
      [
        count(4, 5), Tensor(i64: [-1, 1]), Tensor(i64: [-9, Int.max]), Tensor(i64: [1, 0]),
        Tensor(i64: [-2, 1]),
      ],
      isSymbolic: false),
    Sample("slice", [ramp(4, 5), Tensor(i64: [1]), Tensor(i64: [Int.max]), Tensor(i64: [1])]),
    Sample("slice", [ramp(4, 5), Tensor(i64: [-1]), Tensor(i64: [Int.max]), Tensor(i64: [0])]),
    Sample("pad", [ramp(2, 3), Tensor(i64: [1, -1, 0, 2]), Tensor(f32: [9], [])]),
    Sample("pad", [ramp(4, 3), Tensor(i64: [2, 1]), nil, Tensor(i64: [0])], ["mode": .string("reflect")]),
    Sample("pad", [ramp(4, 3), Tensor(i64: [2, 1]), nil, Tensor(i64: [-1])], ["mode": .string("wrap")]),
    Sample(
      "depth_to_space", [ramp(1, 8, 2, 3)], ["blocksize": .int(2), "mode": .string("CRD")],
      isSymbolic: false),
    Sample("space_to_depth", [ramp(1, 2, 4, 6)], ["blocksize": .int(2)], isSymbolic: false),
    Sample("reverse_sequence", [ramp(4, 3), Tensor(i64: [1, 4, 2])]),
    Sample("trilu", [ramp(2, 3, 4), Tensor(i64: [1], [])]),
    Sample("trilu", [ramp(3, 4), Tensor(i64: [-1], [])], ["upper": .int(0)]),
    Sample("shape", [ramp(2, 3, 4)], ["start": .int(-2)]),
    Sample("size", [ramp(2, 3)]),
    Sample("constant_of_shape", [Tensor(i64: [2, 3])], ["value": .tensor(Tensor(i64: [7]))]),
    Sample("range", [Tensor(i64: [10], []), Tensor(i64: [3], []), Tensor(i64: [-3], [])]),
    Sample("eye_like", [ramp(3, 4)], ["k": .int(1), "dtype": .element(.i64)]),
  ]

  static let indexing: [Sample] = [
    Sample("gather", [ramp(4, 3), Tensor(i64: [2, -1, 0, 1], [2, 2])]),
    Sample("gather", [count(3, 5), Tensor(i32: [-1], [])], ["axis": .int(1)]),
    Sample("gather_elements", [ramp(3, 4), Tensor(i64: [0, -1, 2, 1, 1, 1], [2, 3])], ["axis": .int(1)]),
    Sample("gather_nd", [count(2, 3, 4), Tensor(i64: [1, 0, -1, 2], [2, 2])], isSymbolic: false),
    Sample("gather_nd", [ramp(2, 3, 4), Tensor(i64: [1, 2], [2, 1])], ["batch_dims": .int(1)]),
    Sample("scatter_elements", [ramp(3, 4), Tensor(i64: [0, 2], [1, 2]), ramp(1, 2)], ["axis": .int(1)]),
    Sample(
      "scatter_elements", [ramp(3, 4), Tensor(i64: [0, 0], [2, 1]), ramp(2, 1)], ["reduction": .string("add")]
    ),
    Sample(
      "scatter_nd", [ramp(4, 3), Tensor(i64: [2, 0], [2, 1]), ramp(2, 3)], ["reduction": .string("max")]),
    Sample("scatter_nd", [ramp(4, 3), Tensor(i64: [2, 0], [2, 1]), ramp(2, 3)]),
    Sample(
      "tensor_scatter", [ramp(2, 5, 3), ramp(2, 2, 3), Tensor(i64: [4, 1])], ["mode": .string("circular")]),
    Sample("one_hot", [Tensor(i64: [0, -1, 5]), Tensor(i64: [4], []), Tensor(f32: [-1, 2])]),
    Sample("top_k", [ramp(2, 7), Tensor(i64: [3])], results: 2),
    Sample("top_k", [ramp(5, 3), Tensor(i64: [2])], ["axis": .int(0), "largest": .int(0)], results: 2),
    Sample("non_zero", [Tensor(i64: [0, 3, 0, 4, 5, 0], [2, 3])], isSymbolic: false),
    Sample("compress", [ramp(3, 4), Tensor(bool: [true, false, true])], ["axis": .int(0)]),
    Sample("cast", [ramp(2, 3)], ["to": .element(.i32)]),
    Sample("cast", [Tensor(i64: [300, -1, 0])], ["to": .element(.u8)]),
    Sample("cast_like", [Tensor(i64: [3, 0]), Tensor(bool: [true])]),
    Sample("bit_cast", [ramp(2, 3)], ["to": .element(.i32)]),
  ]
}
