import GraphIR
import Tensors

/// The same elements in row-major order under the shape in operand 1.
///
/// `-1` stands for what the count leaves: the product of the operand's dims divided by the other entries,
/// after common dims are cancelled. `0` copies the operand's dim at that place unless `allowzero`.
struct Reshape: Operator {
  let schema = OperatorSchema(
    "reshape", "The same elements in row-major order under another shape; -1 is inferred, 0 copies a dim.",
    operands: ["x", "shape"], attributes: ["allowzero": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let allowsZero = call.attributes.bool("allowzero", default: false)
    var shape = try call.shapeOperand(1)
    var inferred: Int?
    for (axis, dim) in shape.enumerated() {
      switch dim.constant {
      case 0 where !allowsZero:
        guard axis < x.rank else { throw OperatorError("shape entry \(axis) is 0, the operand is \(x)") }
        shape[axis] = x.shape[axis]
      case -1:
        guard inferred == nil else {
          throw OperatorError("shape \(ShapeRules.list(shape)) has more than one -1")
        }
        inferred = axis
      case let extent? where extent < 0:
        throw OperatorError("shape entry \(axis) is \(extent), accepted are -1 and up")
      default: break
      }
    }
    if let inferred {
      var others = shape
      others.remove(at: inferred)
      shape[inferred] = Self.quotient(x.shape, others)
      if let extent = shape[inferred].constant, extent * others.reduce(Dim(1), *) != x.elementCount,
        others.allSatisfy({ $0.constant != nil }), x.constantShape != nil
      {
        throw OperatorError("\(x) does not reshape to \(ShapeRules.list(shape))")
      }
    } else if let from = x.elementCount.constant, let to = shape.reduce(Dim(1), *).constant, from != to {
      throw OperatorError("\(x) of \(from) elements does not reshape to \(ShapeRules.list(shape)) of \(to)")
    }
    return [ValueFact(TensorType(x.element, shape), content: call.content(0))]
  }

  /// The product of `numerators` over that of `denominators`, after equal dims are cancelled.
  static func quotient(_ numerators: [Dim], _ denominators: [Dim]) -> Dim {
    var rest = numerators
    var divisor = Dim(1)
    for dim in denominators {
      if let index = rest.firstIndex(of: dim) { rest.remove(at: index) } else { divisor = divisor * dim }
    }
    if divisor.constant == 0 { return Dim(0) }
    return rest.reduce(Dim(1), *) / divisor
  }
}

private func * (a: Int, b: Dim) -> Dim { b * a }
