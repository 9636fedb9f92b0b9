import GraphIR
import Operators
import Tensors

/// Where one graph that holds a large and a small model comes apart, found by what reaches what.
///
/// 1. Of two outputs `[batch, rows, vocabulary]` the one is the large model's that is computed from fewer inputs; the
///    other needs ids of its own beside them.
/// 2. What outputs are computed from that need none of the small model's inputs is the large model.
/// 3. Going up from the other outputs, hidden states of the large model - numbers `[batch, rows, width]` that depend on
///    tokens - are where the cut goes: taps. What depends on sizes and positions alone is in both.
struct TandemCut {
  let large: Graph
  let small: Graph
  /// The values at the cut with their types.
  let taps: [(name: String, type: TensorType)]

  /// - Returns: nil where a graph does not hold two models.
  init?(_ graph: Graph) throws(Miss) {
    guard let (largeLogits, smallLogits) = Self.logits(graph) else { return nil }
    let given = graph.reach(from: [largeLogits])
    let own = graph.inputs.filter { !given.contains($0) }
    let (largeOutputs, smallOutputs) = (
      graph.outputs.filter { graph.reach(from: [$0.value]).isDisjoint(with: own) },
      graph.outputs.filter { !graph.reach(from: [$0.value]).isDisjoint(with: own) }
    )
    let largeValues = graph.reach(from: largeOutputs.map(\.value))
    let tokens = Self.tokenDependent(graph, Self.ids(graph, below: largeLogits))
    var (taps, seen, pending): ([ValueID], Set<ValueID>, [ValueID]) = ([], [], smallOutputs.map(\.value))
    while let value = pending.popLast() {
      guard seen.insert(value).inserted else { continue }
      if largeValues.contains(value), tokens.contains(value) {
        let type = graph[value].type
        guard type.rank == 3, type.element.isFloatingPoint else {
          throw Miss(
            "the small model reads '\(graph[value].name)' \(type) of the large one; accepted are hidden states [batch,"
              + " rows, width]")
        }
        taps.append(value)
        continue
      }
      guard let producer = graph.producer(of: value) else { continue }
      pending += graph[producer].operands.compactMap { $0 }
    }
    guard !taps.isEmpty else { throw Miss("the two models in the graph share no hidden state") }
    taps.sort { graph[$0].name < graph[$1].name }
    self.taps = taps.map { (graph[$0].name, graph[$0].type) }
    large = Self.part(graph, largeOutputs, adding: taps)
    small = try Self.small(graph, smallOutputs, smallLogits, taps, own: own)
  }

  /// The logits of the large and the small model.
  private static func logits(_ graph: Graph) -> (large: ValueID, small: ValueID)? {
    let candidates = graph.outputs.map(\.value).filter { value in
      let type = graph[value].type
      return type.element.isFloatingPoint && type.rank == 3 && type.shape[2].constant != nil
    }
    for large in candidates {
      let given = graph.reach(from: [large])
      for small in candidates where graph[small].type.shape[2] == graph[large].type.shape[2] && small != large
      {
        let ids = Set(ids(graph, below: small)).subtracting(given)
        if !ids.isEmpty, !Set(Self.ids(graph, below: large)).isEmpty, !given.contains(small) {
          return (large, small)
        }
      }
    }
    return nil
  }

  /// Inputs that pick rows of a matrix with one row per token of the vocabulary.
  private static func ids(_ graph: Graph, below logits: ValueID) -> [ValueID] {
    let vocabulary = graph[logits].type.shape[2]
    let reached = graph.reach(from: [logits])
    return graph.inputs.filter { input in
      reached.contains(input)
        && graph.users(of: input).contains { id in
          let node = graph[id]
          return node.operation == "gather" && node.operands.count >= 2 && node.operands[1] == input
            && node.operands[0].map { graph[$0].type.shape.first == vocabulary } ?? false
        }
    }
  }

  /// Values whose elements depend on tokens.
  private static func tokenDependent(_ graph: Graph, _ ids: [ValueID]) -> Set<ValueID> {
    var found = Set(ids)
    for id in graph.order where graph[id].operation != "shape" && graph[id].operation != "size" {
      guard graph[id].operands.contains(where: { $0.map(found.contains) ?? false }) else { continue }
      found.formUnion(graph[id].results.compactMap { $0 })
    }
    return found
  }

  private static func part(
    _ graph: Graph, _ outputs: [(name: String, value: ValueID)], adding taps: [ValueID]
  ) -> Graph {
    var part = graph
    part.outputs = outputs
    for tap in taps where !outputs.contains(where: { $0.value == tap }) {
      part.outputs.append((graph[tap].name, tap))
    }
    part.removeDeadNodes()
    for input in part.inputs where part.users(of: input).isEmpty { part.removeInput(input) }
    part.removeUnusedConstants()
    return part
  }

  /// The small model with taps as inputs, and its own inputs under the names that decoders have.
  private static func small(
    _ graph: Graph, _ outputs: [(name: String, value: ValueID)], _ logits: ValueID, _ taps: [ValueID],
    own: [ValueID]
  ) throws(Miss) -> Graph {
    var small = graph
    small.outputs = outputs
    let names = taps.map { graph[$0].name }
    for (tap, name) in zip(taps, names) {
      small.rename(tap, to: "\(name).large")
      small.replaceUses(of: tap, with: small.addInput(name, graph[tap].type))
    }
    small = part(small, small.outputs, adding: [])
    let tokens = Self.ids(small, below: logits).filter(own.contains)
    guard tokens.count == 1 else { throw Miss("the small model takes \(tokens.count) inputs of ids, need 1") }
    let ids = tokens[0]
    for input in small.inputs where small[input].type.rank == 2 && !small[input].type.element.isFloatingPoint
    {
      let name =
        input == ids
        ? "input_ids"
        : !own.contains(input)
          ? "tandem_position_ids"
          : small[input].type.shape == small[ids].type.shape ? "position_ids" : "attention_mask"
      small.rename(input, to: name)
    }
    for index in small.outputs.indices where small.outputs[index].value == logits {
      small.outputs[index].name = "logits"
    }
    return small
  }
}

extension Graph {
  /// The values that others are computed from, these included.
  ///
  /// - Parameter sizes: whether those count of which only the sizes are read.
  func reach(from roots: [ValueID], sizes: Bool = true) -> Set<ValueID> {
    var seen = Set(roots)
    var pending = roots
    while let value = pending.popLast() {
      guard let producer = producer(of: value), sizes || self[producer].operation != "shape" else { continue }
      for case let operand? in self[producer].operands where seen.insert(operand).inserted {
        pending.append(operand)
      }
    }
    return seen
  }
}
