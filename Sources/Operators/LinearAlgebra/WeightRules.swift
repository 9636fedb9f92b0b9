import GraphIR
import Tensors

/// Matrices of weights that a node reads, stored as an attribute of it tells: as they are, or as
/// `pack_blocks` makes them.
enum WeightRules {
  /// The rows of a matrix of weights for rows of `columns` numbers like those of operand 0.
  static func rows(
    _ call: InferenceCall, _ operand: Int, format attribute: String, columns: Dim
  ) throws(OperatorError) -> Dim {
    let (format, type) = (try Self.format(call.attributes, attribute), try call.type(operand))
    guard type.rank == 2 else { throw OperatorError("operand \(operand) is \(type), accepted is a matrix") }
    if format == .f32 {
      try call.requireEqualElements(0, operand)
      try call.require(operand, shape: [type.shape[0], columns])
      return type.shape[0]
    }
    guard let columns = columns.constant else {
      throw OperatorError("weights in '\(format)' need a known number of columns, found \(columns)")
    }
    guard type.element == .u8, type.shape[1].constant ?? format.rowBytes(columns) == format.rowBytes(columns)
    else {
      throw OperatorError(
        "operand \(operand) is \(type), accepted are \(format.rowBytes(columns)) u8 per row"
      )
    }
    return type.shape[0]
  }

  static func format(_ attributes: Attributes, _ name: String) throws(OperatorError) -> BlockFormat {
    try attributes.blockFormat(name, orThrow: { OperatorError($0) })
  }

  /// The numbers of a matrix of weights, of the element type of x.
  static func unpacked(
    _ weight: ValueID?, _ attributes: Attributes, _ name: String, columns: Dim, like x: ValueID?,
    into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID? {
    let format = try Self.format(attributes, name)
    guard let weight, let x, format != .f32, let columns = columns.constant else { return weight }
    let numbers = try builder(
      "unpack_blocks", weight, attributes: ["format": .string(format.rawValue), "columns": .int(columns)])
    let element = builder.type(x).element
    return element == .f32 ? numbers : try builder("cast", numbers, attributes: ["to": .element(element)])
  }
}
