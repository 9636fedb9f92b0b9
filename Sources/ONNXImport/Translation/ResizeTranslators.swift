import GraphIR
import ONNXFormat
import Tensors

/// `Upsample` and the first `Resize` as today's `Resize(x, roi, scales, sizes)`.
enum ResizeTranslators {
  static let all: [String: Translator] = ["Upsample": upsample, "Resize": resize]

  /// Scales were an attribute in opset 7 and operand 1 in opset 9.
  private static let upsample: Translator = { (node, builder) throws(ImportError) in
    if case .floats(let scales)? = node.take("scales") { node.setOperand(1, builder.constant(Tensor(f32: scales))) }
    moveScales(&node)
    return nil
  }

  private static let resize: Translator = { (node, builder) throws(ImportError) in
    if node.opset < 11 { moveScales(&node) }
    return nil
  }

  /// The old forms map index i to floor(i / scale).
  private static func moveScales(_ node: inout Translation) {
    let scales = node.operands.count > 1 ? node.operands[1] : nil
    node.setOperand(1, nil)
    node.setOperand(2, scales)
    node.set("coordinate_transformation_mode", .string("asymmetric"))
    node.set("nearest_mode", .string("floor"))
  }
}
