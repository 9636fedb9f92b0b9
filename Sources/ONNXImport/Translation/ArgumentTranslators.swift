import GraphIR
import ONNXFormat
import Tensors

/// Scalar attributes that became operands.
enum ArgumentTranslators {
  static let all: [String: Translator] = ["Clip": clip, "Pad": pad, "Dropout": dropout]

  /// Before opset 11 the bounds were attributes.
  private static let clip: Translator = { (node, builder) throws(ImportError) in
    guard node.opset < 11 else { return nil }
    let element = builder.type(try node.operand(0)).element
    for (position, name) in [(1, "min"), (2, "max")] {
      guard let bound = try node.takeFloat(name) else { continue }
      guard let value = builder.scalar(bound, element) else {
        throw .invalid("operand 0 is of \(element), accepted before opset 11 are floating-point types")
      }
      node.setOperand(position, value)
    }
    return nil
  }

  /// Before opset 11 the widths and the value were attributes.
  private static let pad: Translator = { (node, builder) throws(ImportError) in
    guard node.opset < 11 else { return nil }
    guard let pads = try node.takeInts("pads") else { throw .invalid("lacks the attribute 'pads'") }
    node.setOperand(1, builder.constant(pads))
    if let value = try node.takeFloat("value") {
      let element = builder.type(try node.operand(0)).element
      node.setOperand(2, builder.scalar(value, element))
    }
    return nil
  }

  /// Before opset 12 the ratio was an attribute, and dropout never happened at inference.
  private static let dropout: Translator = { (node, builder) throws(ImportError) in
    guard node.opset < 12 else { return nil }
    if let ratio = try node.takeFloat("ratio") { node.setOperand(1, builder.constant(ratio)) }
    return nil
  }
}
