import GraphIR
import Operators
import Tensors

/// The numbers of constant operands, whatever they are stored in.
struct WeightNumbers {
  let graph: Graph
  let constants: [String: Tensor]
  let operators: OperatorTable

  /// A matrix of weights, f32 [N, K], and how its rows are stored.
  func matrix(_ value: ValueID) throws(Miss) -> (Tensor, BlockFormat) {
    guard let producer = graph.producer(of: value), graph[producer].operation == "pack_blocks" else {
      return (try matrixOfNumbers(value), .f32)
    }
    let pack = graph[producer]
    let format = BlockFormat(rawValue: pack.attributes.string("format", default: "")) ?? .f32
    return (try matrixOfNumbers(pack.operands[0]!), format)
  }

  private func matrixOfNumbers(_ value: ValueID) throws(Miss) -> Tensor {
    guard ConstantExpressions(graph).contains(value, in: graph) else {
      throw Miss("the weights are computed at run time, need constants")
    }
    let tensor = try tensor(value)
    guard tensor.element == .f32, tensor.rank == 2 else {
      throw Miss("the weights are \(tensor.type), need f32")
    }
    return tensor
  }

  func tensor(_ value: ValueID) throws(Miss) -> Tensor {
    var evaluator = ConeEvaluator(graph, constants: constants, operators: operators, sizes: [:])
    return try evaluator.read(value)
  }
}
