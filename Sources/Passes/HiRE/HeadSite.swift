public import GraphIR

/// The head of a decoder's function, where it can be replaced: logits that nothing in the function reads.
public struct HeadSite {
  public let node: NodeID
  /// [B, S, K], what the head reads.
  public let hidden: ValueID
  /// [V, K], or its rows in blocks.
  let weight: ValueID
  let bias: ValueID?
  /// The name of the output.
  let logits: String

  /// - Parameter name: the output with the logits; found where that is nil and the function takes any number of tokens.
  public init(_ graph: Graph, logits name: String? = nil) throws(Miss) {
    let name = if let name { name } else { try Self.logits(of: graph) }
    guard let output = graph.outputs.first(where: { $0.name == name }) else {
      throw Miss("there is no output '\(name)'")
    }
    guard let id = graph.producer(of: output.value), graph[id].operation == "lm_head" else {
      let operation = graph.producer(of: output.value).map { graph[$0].operation }
      throw Miss("'\(name)' is the result of '\(operation ?? "nothing")', need that of 'lm_head'")
    }
    let head = graph[id]
    if let reader = graph.users(of: output.value).first {
      throw Miss("the logits are read by '\(graph[reader].operation)', need an output and nothing else")
    }
    guard graph.outputs.count(where: { $0.value == output.value }) == 1 else {
      throw Miss("the logits are given out under several names")
    }
    node = id
    hidden = head.operands[0]!
    weight = head.operands[1]!
    bias = head.operands.count > 2 ? head.operands[2] : nil
    logits = name
  }

  private static func logits(of graph: Graph) throws(Miss) -> String {
    let value = try graph.decoderLogits()
    return graph.outputs.first { $0.value == value }!.name
  }
}
