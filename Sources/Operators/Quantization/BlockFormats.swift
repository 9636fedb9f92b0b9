import GraphIR
import Tensors

/// A matrix of weights in a format of blocks, of which `linear` and its relatives compute: `[N, K]` to bytes.
///
/// Rows that lie on the format's grid are stored to rounding; others are rounded to the nearest codes.
struct PackBlocks: Operator {
  let schema = OperatorSchema(
    "pack_blocks", "The rows of a matrix in a format of blocks: f32 [N, K] to u8 [N, bytes of a row].",
    operands: ["x"], attributes: ["format!": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard x.element.isFloatingPoint, x.rank == 2, let columns = x.shape[1].constant else {
      throw OperatorError("x is \(x), accepted is a matrix of floats whose columns are known")
    }
    let format = try WeightRules.format(call.attributes, "format")
    guard format != .f32 else { throw OperatorError("a matrix in f32 is stored as it is, not packed") }
    return [ValueFact(.u8, [x.shape[0], Dim(format.rowBytes(columns))])]
  }
}

/// The numbers of rows in a format of blocks: bytes to `[..., K]`.
struct UnpackBlocks: Operator {
  let schema = OperatorSchema(
    "unpack_blocks",
    "The numbers of rows in a format of blocks: u8 [..., bytes of a row] to f32 [..., columns].",
    operands: ["x"], attributes: ["format!": .string, "columns!": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let format = try WeightRules.format(call.attributes, "format")
    let columns = try call.requiredInt("columns")
    guard columns >= 0, x.element == .u8, let bytes = x.shape.last,
      bytes.constant.map({ $0 == format.rowBytes(columns) }) ?? true
    else {
      throw OperatorError(
        "x is \(x), accepted are \(format.rowBytes(max(0, columns))) bytes per row of \(columns) columns")
    }
    return [ValueFact(.f32, x.shape.dropLast() + [Dim(columns)])]
  }
}

/// The numbers of a matrix whose columns lie one behind the other in a format of blocks: bytes to `[N, K]`.
struct UnpackColumns: Operator {
  let schema = OperatorSchema(
    "unpack_columns",
    "The numbers of columns in a format of blocks: u8 [panels, bytes of a panel] to f32 [rows, columns].",
    operands: ["x"], attributes: ["format!": .string, "rows!": .int, "columns!": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (rows, columns) = (try call.requiredInt("rows"), try call.requiredInt("columns"))
    let layout = try call.attributes.blockColumns(
      "format", rows: rows, orThrow: { OperatorError($0) })
    try call.require(0, .u8, [layout.count(columns: max(0, columns)), layout.panelBytes], "'x'")
    return [ValueFact(.f32, [Dim(rows), Dim(columns)])]
  }
}
