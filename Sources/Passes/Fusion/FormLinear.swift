public import GraphIR
import Tensors

/// Recognizes products with a constant matrix, whose rows can then be packed for streaming.
///
///     %y = matmul(%x, @w)                        %y = linear(%x, @w) {transposed = 1}
///     %t = transpose(@e) {perm = [1, 0]}
///     %z = matmul(%x, %t)                 ──►    %z = linear(%x, @e)
///     %g = gemm(%x, @w, @b)                      %g = linear(%x, @w, @b) {transposed = 1}
///     %a = add(%y, @b)                           %a = linear(%x, @w, @b) {transposed = 1}
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
      for id in graph.order {
        if let product = product(graph[id], in: graph, &context) {
          graph[id].operation = "linear"
          graph[id].operands = product.operands
          graph[id].attributes = product.attributes
          context.count("products")
        }
      }
      absorbBiases(&graph, &context)
      module.functions[index].graph = graph
    }
  }

  private struct Product {
    let operands: [ValueID?]
    let attributes: Attributes
  }

  private func product(_ node: Node, in graph: Graph, _ context: inout PassContext) -> Product? {
    guard node.operation == "matmul" || node.operation == "gemm", node.operands.count >= 2,
      let x = node.operands[0], let right = node.operands[1]
    else { return nil }
    var isTransposed = node.operation == "matmul" || !node.attributes.bool("transB", default: false)
    var weight = right
    if let id = graph.producer(of: right), graph[id].operation == "transpose", graph[right].type.rank == 2,
      graph[id].attributes.ints("perm") ?? [1, 0] == [1, 0], let source = graph[id].operands[0]
    {
      weight = source
      isTransposed.toggle()
    }
    guard graph.constantName(of: weight) != nil else { return nil }
    guard graph[weight].type.rank == 2, graph[weight].type.element == .f32, graph[x].type.rank >= 1 else {
      context.miss(node, "the constant is \(graph[weight].type), need f32 of rank 2")
      return nil
    }
    var operands: [ValueID?] = [x, weight]
    if node.operation == "gemm" {
      let attributes = node.attributes
      guard attributes.float("alpha", default: 1) == 1, attributes.float("beta", default: 1) == 1,
        !attributes.bool("transA", default: false)
      else {
        context.miss(node, "factors or a transposed left side, need plain 'x w + b'")
        return nil
      }
      if node.operands.count > 2, let bias = node.operands[2] {
        guard graph[bias].type.shape == [graph[weight].type.shape[isTransposed ? 1 : 0]] else {
          context.miss(node, "the bias is \(graph[bias].type), need a vector as long as a row of the result")
          return nil
        }
        operands.append(bias)
      }
    }
    return Product(
      operands: operands, attributes: isTransposed ? Attributes(["transposed": .int(1)]) : Attributes())
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
