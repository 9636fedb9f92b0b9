import GraphIR
import Tensors

/// Operators that change the element type.
enum CastingOperators {
  static let all: [any Operator] = [Cast(), CastLike(), BitCast()]

  /// Tracked content after a conversion: integers that surely fit, truth values of known numbers.
  static func content(_ content: [Dim]?, from source: ElementType, to target: ElementType) -> [Dim]? {
    guard let content, !source.isFloatingPoint, !target.isFloatingPoint else { return nil }
    if target == source || target == .i64 || (target == .i32 && source != .u32) {
      return content.map(wrapped(to: target))
    }
    var converted: [Dim] = []
    for dim in content {
      guard let value = dim.constant else { return nil }
      converted.append(Dim(convert(value, to: target)))
    }
    return converted
  }

  private static func wrapped(to target: ElementType) -> (Dim) -> Dim {
    { dim in dim.constant.map { Dim(convert($0, to: target)) } ?? dim }
  }

  private static func convert(_ value: Int, to target: ElementType) -> Int {
    let tensor = Tensor(target, [1])
    NumberCoding.store(integer: Int64(value), tensor.base, target, 0)
    return tensor.integers[0]
  }
}

/// Converts elements to another type.
struct Cast: Operator {
  let schema = OperatorSchema(
    "cast", "Elements converted to another type: floats to integers truncate, integers lose high bits.",
    operands: ["x"], attributes: ["to!": .element, "saturate": .int, "round_mode": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard let element = call.attributes.element("to") else {
      throw OperatorError("attribute 'to' is missing")
    }
    let content = CastingOperators.content(call.content(0), from: x.element, to: element)
    return [ValueFact(TensorType(element, x.shape), content: content)]
  }
}

/// Converts elements to the element type of operand 1.
struct CastLike: Operator {
  let schema = OperatorSchema(
    "cast_like", "Elements converted to the type of those of operand 1.", operands: ["x", "like"],
    attributes: ["saturate": .int, "round_mode": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, element) = (try call.type(0), try call.type(1).element)
    let content = CastingOperators.content(call.content(0), from: x.element, to: element)
    return [ValueFact(TensorType(element, x.shape), content: content)]
  }
}

/// The same bits read as another element type of equal width.
struct BitCast: Operator {
  let schema = OperatorSchema(
    "bit_cast", "The same bits read as another element type of equal width.", operands: ["x"],
    attributes: ["to!": .element])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard let element = call.attributes.element("to") else {
      throw OperatorError("attribute 'to' is missing")
    }
    guard element.packedBitCount == x.element.packedBitCount else {
      throw OperatorError("\(x.element) and \(element) have different widths")
    }
    return [ValueFact(element, x.shape)]
  }
}
