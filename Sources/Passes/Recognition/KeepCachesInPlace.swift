public import GraphIR
import Tensors

/// Turns key/value caches that are passed in, joined and passed out into state that is appended to in place.
///
///     func @main(%past: f32[B, H, P, D], ...) -> (present: f32[B, H, P + S, D])
///       %present = concat(%past, %k) {axis = 2}    ──►    %present = cache_append(%past, %k) {axis = 2}
///
/// Requires: `past` is an input of the function and `present` an output, whatever the exporter calls them; the
/// joined axis of `past` is a run-time size and not the first axis; one join per input.
public struct KeepCachesInPlace: Pass {
  public let name = "keep-caches-in-place"
  public let summary = "Appends to key/value caches in their own memory."
  public let fidelity = Fidelity.exact

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    for index in module.functions.indices { rewrite(&module.functions[index].graph, &context) }
  }

  private func rewrite(_ graph: inout Graph, _ context: inout PassContext) {
    let inputs = Set(graph.inputs)
    let outputs = Set(graph.outputs.map(\.value))
    var kept: Set<ValueID> = []
    for id in graph.order {
      let node = graph[id]
      guard node.operation == "concat", let past = node.operands.first ?? nil, inputs.contains(past),
        let present = node.results[0], outputs.contains(present)
      else { continue }
      guard node.operands.count == 2 else {
        context.miss(node, "\(node.operands.count) operands are joined, need 2")
        continue
      }
      let type = graph[past].type
      let given = node.attributes.int("axis", default: 0)
      let axis = given < 0 ? given + type.rank : given
      guard axis >= 1 else {
        context.miss(node, "joined along the first axis, need a later one")
        continue
      }
      guard type.shape[axis].constant == nil else {
        context.miss(node, "the cache has a fixed length, need a run-time size")
        continue
      }
      guard kept.insert(past).inserted else {
        context.miss(node, "the cache is appended to more than once")
        continue
      }
      graph[id].operation = "cache_append"
      graph[id].attributes = Attributes(["axis": .int(axis)])
      context.count("caches")
    }
  }
}
