import GraphIR
import Tensors

/// The node at which a decoder's head can be cut down to the last position.
///
///     %y = lm_head(%x, @w)        ──►    %y = lm_head(%x, @w) {last_only = 1}
///     %y = linear(%x, @w)         ──►    %l = slice(%x, -1, end) on axis 1
///                                        %y = linear(%l, @w)
///
/// Between the product and the logits only element-wise operators with constants may stand, such as a
/// softcap, and nobody else may read what is cut down.
enum LastPositionHead {
  case lmHead(NodeID)
  case product(NodeID)

  private static let elementwise: Set<String> = ["cast", "tanh", "add", "sub", "mul", "div", "identity"]

  init?(_ logits: ValueID, in graph: Graph) {
    let uses = graph.uses()
    let outputs = graph.outputs.map(\.value)
    var value = logits
    while let id = graph.producer(of: value) {
      let isOutput = outputs.count { $0 == value } > (value == logits ? 1 : 0)
      guard uses[value, default: []].count == (value == logits ? 0 : 1), !isOutput else { return nil }
      let node = graph[id]
      switch node.operation {
      case "lm_head":
        self = .lmHead(id)
        return
      case "linear", "matmul":
        guard let x = node.operands[0], graph[x].type.rank == 3, let weight = node.operands[1],
          graph[weight].type.rank == 2
        else { return nil }
        self = .product(id)
        return
      default:
        guard Self.elementwise.contains(node.operation),
          let next = Self.variable(node, as: graph[value].type, in: graph)
        else { return nil }
        value = next
      }
    }
    return nil
  }

  /// The one operand of an element-wise node that is no vector of constants, of the result's shape.
  private static func variable(_ node: Node, as type: TensorType, in graph: Graph) -> ValueID? {
    let operands = node.operands.compactMap { $0 }
    let variables = operands.filter { graph.constantName(of: $0) == nil || graph[$0].type.rank > 1 }
    guard variables.count == 1, graph[variables[0]].type.shape == type.shape else { return nil }
    return variables[0]
  }
}
