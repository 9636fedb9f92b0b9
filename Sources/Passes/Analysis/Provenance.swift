import GraphIR

/// What the elements of a value depend on, besides constants.
struct Provenance: OptionSet {
  let rawValue: Int

  /// The sizes of inputs.
  static let sizes = Provenance(rawValue: 1)
  /// The elements of the attention mask.
  static let mask = Provenance(rawValue: 2)
  /// The elements of the position ids.
  static let positions = Provenance(rawValue: 4)
  /// Tokens, caches, or any other input.
  static let data = Provenance(rawValue: 8)

  /// The provenance of every value, by its index.
  static func analysis(of graph: Graph, _ signature: DecoderSignature) -> [Provenance] {
    var found = [Provenance](repeating: [], count: graph.values.count)
    for input in graph.inputs {
      found[Int(input.index)] =
        input == signature.mask ? .mask : input == signature.positions ? .positions : .data
    }
    for id in graph.order {
      let node = graph[id]
      let isSize = node.operation == "shape" || node.operation == "size"
      let operands = node.operands.reduce(into: Provenance()) { union, operand in
        if let operand { union.formUnion(found[Int(operand.index)]) }
      }
      for case let result? in node.results {
        // Content that inference knows is made of sizes.
        found[Int(result.index)] = isSize || graph[result].content != nil ? .sizes : operands
      }
    }
    return found
  }
}
