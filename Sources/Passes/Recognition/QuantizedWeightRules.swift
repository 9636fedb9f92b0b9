import GraphIR
import Tensors

/// A product with a block-quantized constant.
///
///     %y = matmul_nbits(%x, @b, @scales, @zeros, _, @bias) {N, K, bits, block_size}
///                                   ──►
///     %w = gather_block_quantized(reshape(@b), @rows, @scales, @zeros) : f32[N, K]
///     %y = linear(%x, %w, @bias)
///
/// Requires: quantized data that depends on constants alone.
struct SeparateQuantizedMatrix: Rule {
  let name = "separate-quantized-matrix"
  let anchors = ["matmul_nbits"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    guard let x = operand(0), let data = operand(1), let scales = operand(2), let result = node.results[0],
      let rows = node.attributes.int("N"), let depth = node.attributes.int("K"),
      let block = node.attributes.int("block_size")
    else { return nil }
    guard operand(4) == nil else { throw Miss("it has group indices 'g_idx'") }
    let weight = try BlockQuantized(
      data: data, scales: scales, zeros: operand(3), rows: rows,
      bits: node.attributes.int("bits", default: 4),
      block: block, view)
    let bias = operand(5)
    guard view.type(x).element == .f32, view.type(scales).element == .f32,
      bias.map({ view.type($0).element == .f32 }) ?? true
    else {
      throw Miss("x is \(view.type(x)) and the scales are \(view.type(scales)), need f32")
    }
    return Patch("\(rows) rows of \(depth)", replacing: [result]) { builder throws(OperatorError) in
      var matrix = try weight.dequantized(&builder)
      if builder.type(matrix).shape[1] != Dim(depth) {
        matrix = try builder(
          "slice", matrix, builder.constant([0]), builder.constant([depth]), builder.constant([1]))
      }
      return [try builder.add("linear", [x, matrix] + (bias.map { [$0] } ?? []))[0]!]
    }
  }
}

/// Rows of a block-quantized constant picked at run time.
///
///     %y = gather_block_quantized(@b, %ids, @scales)
///                                   ──►
///     %t = gather_block_quantized(@b, @rows, @scales) : f32[V, d]
///     %y = gather(%t, %ids)
///
/// Requires: a matrix with blocks along its rows that depends on constants alone; indices that do not.
struct SeparateQuantizedTable: Rule {
  let name = "separate-quantized-table"
  let anchors = ["gather_block_quantized"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let data = node.operands[0], let indices = node.operands[1], let scales = node.operands[2],
      let result = node.results[0], !view.isConstantExpression(indices)
    else { return nil }
    let attributes = node.attributes
    guard view.type(data).rank == 2, attributes.int("gather_axis", default: 0) == 0,
      [1, -1].contains(attributes.int("quantize_axis", default: 1)),
      let rows = view.type(data).shape[0].constant
    else { throw Miss("the table is \(view.type(data)), need a matrix with blocks along its rows") }
    let table = try BlockQuantized(
      data: data, scales: scales, zeros: node.operands.count > 3 ? node.operands[3] : nil, rows: rows,
      bits: attributes.int("bits", default: 4), block: attributes.int("block_size", default: 128), view)
    return Patch("\(rows) rows", replacing: [result]) { builder throws(OperatorError) in
      [try builder("gather", try table.dequantized(&builder), indices)]
    }
  }
}

/// A matrix in blocks along its rows, as `matmul_nbits` and `gather_block_quantized` store it.
private struct BlockQuantized {
  let data: ValueID
  let scales: ValueID
  let zeros: ValueID?
  let rows: Int
  let bits: Int
  let block: Int

  /// - Throws: why the matrix is better left where it is.
  init(
    data: ValueID, scales: ValueID, zeros: ValueID?, rows: Int, bits: Int, block: Int,
    _ view: borrowing GraphView
  ) throws(Miss) {
    for operand in [data, scales, zeros].compactMap({ $0 }) where !view.isConstantExpression(operand) {
      throw Miss("its weights are computed at run time, need constants")
    }
    // Dequantized ones of fewer bits are more than a plan stores.
    guard bits >= 4 else { throw Miss("its weights have \(bits) bits, need 4 or 8") }
    // One tensor that is a table here and a matrix there is to be one expression.
    self.data = view.unshaped(data)
    self.scales = view.unshaped(scales)
    self.zeros = zeros.map { view.unshaped($0) }
    (self.rows, self.bits, self.block) = (rows, bits, block)
  }

  /// All rows, by the operator that picks rows.
  func dequantized(_ builder: inout GraphBuilder) throws(OperatorError) -> ValueID {
    let all = builder.constant(Tensor(i64: Array(0..<rows)), name: "rows.\(rows)")
    let columns = builder.type(data).elementCount / Dim(rows)
    let needed = TensorType(builder.type(data).element, [Dim(rows), columns])
    var matrix = data
    if builder.type(data) != needed, let columns = columns.constant {
      matrix = try builder("reshape", data, builder.constant([rows, columns]))
    }
    return try builder(
      "gather_block_quantized", matrix, all, scales, zeros,
      attributes: [
        "bits": .int(bits), "block_size": .int(block), "gather_axis": .int(0), "quantize_axis": .int(1),
      ])
  }
}

extension GraphView {
  /// What a value is a reshape of.
  fileprivate func unshaped(_ value: ValueID) -> ValueID {
    var value = value
    while let x = producer(of: value, "reshape", "squeeze", "unsqueeze", "flatten")?.operands[0] { value = x }
    return value
  }
}
