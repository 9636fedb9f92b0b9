import GraphIR
import ONNXFormat
import Tensors

/// Attributes that became integer operands: axes, splits, bounds, counts.
enum AxesTranslators {
  static let all: [String: Translator] = {
    var table: [String: Translator] = [
      "Squeeze": moving([("axes", 1)], before: 13),
      "Unsqueeze": moving([("axes", 1)], before: 13),
      "ReduceSum": moving([("axes", 1)], before: 13),
      "Split": split,
      "Slice": moving([("starts", 1), ("ends", 2), ("axes", 3)], before: 10),
      "TopK": topK,
      "Softmax": flattening,
      "LogSoftmax": flattening,
      "Hardmax": flattening,
    ]
    for name in ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"] {
      table["Reduce\(name)"] = moving([("axes", 1)], before: 18)
    }
    return table
  }()

  /// Integer list attributes that are operands since an opset.
  private static func moving(_ moves: [(attribute: String, position: Int)], before opset: Int) -> Translator {
    { (node, builder) throws(ImportError) in
      guard node.opset < opset else { return nil }
      for move in moves {
        if let values = try node.takeInts(move.attribute) {
          node.setOperand(move.position, builder.constant(values))
        }
      }
      return nil
    }
  }

  /// Before opset 13 the sizes were an attribute; before 18 the number of equal parts was that of the results.
  private static let split: Translator = { (node, builder) throws(ImportError) in
    if node.opset < 13, let sizes = try node.takeInts("split") {
      node.setOperand(1, builder.constant(sizes))
    }
    let hasSizes = node.operands.count > 1 && node.operands[1] != nil
    if node.opset < 18, !hasSizes { node.set("num_outputs", .int(node.results.count)) }
    return nil
  }

  private static let topK: Translator = { (node, builder) throws(ImportError) in
    if node.opset < 10, let count = try node.takeInt("k") { node.setOperand(1, builder.constant([count])) }
    return nil
  }

  /// Before opset 13 softmax worked on the operand flattened to two axes at `axis`, which was 1 by default:
  ///
  ///     y = reshape(softmax(flatten(x, axis), axis: -1), shape(x))
  private static let flattening: Translator = { (node, builder) throws(ImportError) in
    guard node.opset < 13 else { return nil }
    let x = try node.operand(0)
    let rank = builder.type(x).rank
    let axis = try node.takeInt("axis") ?? 1
    let position = axis < 0 ? axis + rank : axis
    node.set("axis", .int(-1))
    if position == rank - 1 { return nil }
    let shape = try builder.emit("shape", [x])
    let flat = try builder.emit("flatten", [x], ["axis": .int(axis)])
    let result = try builder.emit(node.mnemonic, flat, ["axis": .int(-1)])
    return try builder.emit("reshape", [result[0], shape[0]], names: node.results)
  }
}
