import GraphIR
import Kernels
import Tensors

/// Einstein summation: the sum over all labels that the result lacks of the product of the operands.
struct Einsum: Operator {
  let schema = OperatorSchema(
    "einsum", "The sum, over all labels that the result lacks, of the product of the operands.",
    operands: ["x..."], attributes: ["equation!": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    var types: [TensorType] = []
    for index in call.operands.indices { types.append(try call.type(index)) }
    let equation = try Self.equation(call.attributes, types)
    var dims: [EinsumEquation.Label: Dim] = [:]
    for (labels, type) in zip(equation.operands, types) {
      for (label, dim) in zip(labels, type.shape) {
        dims[label] = try ShapeRules.broadcast([dims[label] ?? 1], [dim])[0]
      }
    }
    return [ValueFact(types[0].element, equation.result.map { dims[$0]! })]
  }

  private static func equation(_ attributes: Attributes, _ types: [TensorType]) throws(OperatorError)
    -> EinsumEquation
  {
    do throws(KernelError) {
      return try EinsumEquation(
        parsing: attributes.string("equation", default: ""), ranks: types.map(\.rank))
    } catch {
      throw OperatorError(error.message)
    }
  }
}
