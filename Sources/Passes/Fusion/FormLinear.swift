public import GraphIR
import Tensors

/// Recognizes products with a constant matrix, whose rows can then be packed for streaming.
///
///     %y = matmul(%x, @w)                        %w.T = transpose(@w) {perm = [1, 0]}
///                                                %y = linear(%x, %w.T)
///     %t = transpose(@e) {perm = [1, 0]}
///     %z = matmul(%x, %t)                 ──►    %z = linear(%x, @e)
///     %g = gemm(%x, @v, @b) {transB = 1}         %g = linear(%x, @v, @b)
///     %a = add(%z, @b)                           %a = linear(%x, @e, @b)
///
/// Requires: f32, a matrix of rank 2; for `gemm` unit factors and a left side as it is; for a bias a vector as long
/// as the result's last axis, and a product that nobody else reads.
public struct FormLinear: Pass {
  public let name = "form-linear"
  public let summary = "Makes products with constant matrices one operator, with their bias."
  public let fidelity = Fidelity.rounding

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    for index in module.functions.indices {
      var graph = module.functions[index].graph
      var transposes: [ValueID: ValueID] = [:]
      for id in graph.order {
        guard let product = product(graph[id], in: graph, &context) else { continue }
        var weight = product.weight
        if product.isTransposed {
          weight = transposes[weight] ?? Self.transpose(weight, before: id, in: &graph)
          transposes[product.weight] = weight
        }
        graph[id].operation = "linear"
        graph[id].operands = [product.x, weight] + (product.bias.map { [$0] } ?? [])
        graph[id].attributes = Attributes()
        context.count("products")
      }
      absorbBiases(&graph, &context)
      module.functions[index].graph = graph
    }
  }

  private struct Product {
    let x: ValueID
    let weight: ValueID
    let bias: ValueID?
    /// Whether the weight is [K, N].
    let isTransposed: Bool
  }

  private static func transpose(_ matrix: ValueID, before node: NodeID, in graph: inout Graph) -> ValueID {
    let type = graph[matrix].type
    let fact = ValueFact(type.element, type.shape.reversed())
    return graph.append(
      "transpose", [matrix], attributes: Attributes(["perm": .ints([1, 0])]),
      results: [("\(graph[matrix].name).T", fact)], location: graph[node].location, before: node)[0]!
  }

  private func product(_ node: Node, in graph: Graph, _ context: inout PassContext) -> Product? {
    guard node.operation == "matmul" || node.operation == "gemm", node.operands.count >= 2,
      let x = node.operands[0], let right = node.operands[1]
    else { return nil }
    let (weight, isTransposed) = source(of: right, in: graph)
    guard graph.constantName(of: weight) != nil else { return nil }
    guard graph[weight].type.rank == 2, graph[weight].type.element == .f32, graph[x].type.rank >= 1 else {
      context.miss(node, "the constant is \(graph[weight].type), need f32 of rank 2")
      return nil
    }
    // The right side of a product is [K, N], unless 'transB' says otherwise.
    let isSwapped = isTransposed == node.attributes.bool("transB", default: false)
    var bias: ValueID?
    if node.operation == "gemm" {
      let attributes = node.attributes
      guard attributes.float("alpha", default: 1) == 1, attributes.float("beta", default: 1) == 1,
        !attributes.bool("transA", default: false)
      else {
        context.miss(node, "factors or a transposed left side, need plain 'x w + b'")
        return nil
      }
      if node.operands.count > 2, let given = node.operands[2] {
        guard graph[given].type.shape == [graph[weight].type.shape[isSwapped ? 1 : 0]] else {
          context.miss(node, "the bias is \(graph[given].type), need a vector as long as a row of the result")
          return nil
        }
        bias = given
      }
    }
    return Product(x: x, weight: weight, bias: bias, isTransposed: isSwapped)
  }

  /// The matrix that a value is or is the transpose of.
  private func source(of value: ValueID, in graph: Graph) -> (matrix: ValueID, isTransposed: Bool) {
    guard let id = graph.producer(of: value), graph[id].operation == "transpose",
      graph[value].type.rank == 2, graph[id].attributes.ints("perm") ?? [1, 0] == [1, 0],
      let matrix = graph[id].operands[0]
    else { return (value, false) }
    return (matrix, true)
  }

  private func absorbBiases(_ graph: inout Graph, _ context: inout PassContext) {
    let uses = graph.uses()
    let outputs = Set(graph.outputs.map(\.value))
    var absorbed: Set<NodeID> = []
    for id in graph.order where graph[id].operation == "add" {
      for (left, right) in [(0, 1), (1, 0)] {
        guard let product = graph[id].operands[left], let bias = graph[id].operands[right],
          let producer = graph.producer(of: product), graph[producer].operation == "linear",
          graph[producer].operands.count == 2, !absorbed.contains(producer),
          graph.constantName(of: bias) != nil, graph[bias].type.element == .f32,
          graph[bias].type.shape == [graph[product].type.shape.last!],
          uses[product]?.count == 1, !outputs.contains(product)
        else { continue }
        graph[id].operation = "linear"
        graph[id].operands = graph[producer].operands + [bias]
        graph[id].attributes = graph[producer].attributes
        absorbed.insert(producer)
        context.count("biases")
        break
      }
    }
    graph.remove(absorbed)
  }
}
