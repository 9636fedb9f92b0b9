import GraphIR
import ONNXFormat
import Tensors

/// Normalizations whose form changed.
enum NormalizationTranslators {
  static let all: [String: Translator] = ["BatchNormalization": batch, "GroupNormalization": group]

  /// Before opset 14 further results meant training, and opset 7 could average over all axes.
  private static let batch: Translator = { (node, builder) throws(ImportError) in
    guard node.opset < 14 else { return nil }
    if let spatial = try node.takeInt("spatial"), spatial == 0 {
      throw .unsupported("attribute 'spatial' is 0, accepted is 1")
    }
    guard !node.usesLaterResults else { throw .unsupported("is in training mode, accepted is inference") }
    node.results = Array(node.results.prefix(1))
    return nil
  }

  /// Opset 18 gave scale and bias per group; since 21 they are per channel:
  ///
  ///     scale[C] = reshape(expand(reshape(scale, [G, 1]), [G, C / G]), [C])
  private static let group: Translator = { (node, builder) throws(ImportError) in
    guard node.opset < 21 else { return nil }
    let x = builder.type(try node.operand(0))
    guard case .int(let groups)? = node.attributes.first(where: { $0.name == "num_groups" })?.value,
      groups > 0
    else {
      throw .invalid("lacks the attribute 'num_groups'")
    }
    guard x.rank >= 2, let channels = x.shape[1].constant, channels % groups == 0 else {
      throw .unsupported(
        "operand 0 is \(x), accepted before opset 21 is a number of channels that \(groups) divides")
    }
    for position in 1...2 {
      var value = try node.operand(position)
      for (operation, shape) in [
        ("reshape", [groups, 1]), ("expand", [groups, channels / groups]), ("reshape", [channels]),
      ] {
        guard let next = try builder.emit(operation, [value, builder.constant(shape)])[0] else { continue }
        value = next
      }
      node.setOperand(position, value)
    }
    return nil
  }
}
