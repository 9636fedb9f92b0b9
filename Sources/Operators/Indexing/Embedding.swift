import GraphIR
import Tensors

/// Rows of a table for token ids, and for positions where these are learned.
///
///     y[b, s, :] = scale * table[ids[b, s], :] + position_table[positions[b, s], :]
///
/// With `table_format` the table is a result of `pack_blocks`, whose rows have `columns` numbers; they are
/// given out as f32.
struct Embedding: Operator {
  let schema = OperatorSchema(
    "embedding", "scale * table[ids], plus position_table[positions] where given.",
    operands: ["ids", "table", "positions?", "position_table?"],
    attributes: ["scale": .float, "table_format": .string, "columns": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (ids, table) = (try call.type(0), try call.type(1))
    guard table.rank == 2 else { throw OperatorError("the table is \(table), accepted is a matrix") }
    let format = try WeightRules.format(call.attributes, "table_format")
    var (element, width) = (table.element, table.shape[1])
    if format != .f32 {
      let columns = try call.requiredInt("columns")
      guard table.element == .u8, columns >= 0, width.constant.map({ $0 == format.rowBytes(columns) }) ?? true
      else {
        throw OperatorError(
          "the table is \(table), accepted are \(format.rowBytes(max(0, columns))) u8 per row"
        )
      }
      (element, width) = (.f32, Dim(columns))
    }
    for operand in [0, 2] where call.has(operand) {
      try ShapeRules.require(try call.type(operand), "i64 and i32") { $0 == .i64 || $0 == .i32 }
    }
    guard call.has(2) == call.has(3) else {
      throw OperatorError("'positions' and 'position_table' must be given together")
    }
    var shape = ids.shape
    if call.has(2) {
      let positions = try call.type(3)
      guard positions.rank == 2 else {
        throw OperatorError("the position table is \(positions), accepted is a matrix")
      }
      try call.require(3, shape: [positions.shape[0], width])
      guard positions.element == element else {
        throw OperatorError("the position table is \(positions), accepted are rows of \(element)")
      }
      shape = try ShapeRules.broadcast(shape, try call.type(2).shape)
    }
    return [ValueFact(element, shape + [width])]
  }

  /// Of the tables only the rows that are picked are read.
  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let result = results[0]
    let tables = operands.count > 3 && operands[3] != nil ? 2 : 1
    return Work(
      flops: (result?.elementCount ?? 0) * tables,
      moving: [operands[0], operands.count > 2 ? operands[2] : nil]
        + Array(repeating: result, count: 1 + tables))
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let format = try WeightRules.format(node.attributes, "table_format")
    let columns = node.attributes.int("columns", default: 0)
    func unpacked(_ rows: ValueID?) throws(OperatorError) -> ValueID? {
      guard format != .f32 else { return rows }
      return try builder(
        "unpack_blocks", rows, attributes: ["format": .string(format.rawValue), "columns": .int(columns)])
    }
    // Rows of nested planes have their meaning in the whole matrix.
    let isWhole = format.firstPlane != nil
    let rows = try builder(
      "gather", isWhole ? try unpacked(node.operands[1]) : node.operands[1], node.operands[0])
    var y = isWhole ? rows : try unpacked(rows)!
    let scale = node.attributes.float("scale", default: 1)
    if scale != 1 { y = try builder("mul", y, builder.constant(Double(scale), like: y)) }
    guard node.operands.count > 3, let positions = node.operands[2], let table = node.operands[3] else {
      return [y]
    }
    return [try builder("add", y, try builder("gather", table, positions))]
  }
}
