public import GraphIR
import Operators
import Tensors

/// Keeps the keys and values of attention in f16: half the memory of f32, and half of what decoding reads.
///
///     func @main(%past: f32[B, H, P, D], ...)  ──►  func @main(%past: f16[B, H, P, D], ...)
///       %y, %k, %v = self_attention(%qkv, %past, ...) : ..., f32[B, H, P + S, D], ...
///                                        ──►            ..., f16[B, H, P + S, D], ...
///
/// Types change alone: `self_attention` rounds new entries as its caches ask for, and computes in f32. Callers
/// that pass and read caches as tensors find them f16, too.
///
/// Requires: f32 inputs that one `self_attention` makes longer and of which no other node reads more than the
/// shape, the results being outputs; the same in every function that has inputs of these names, as functions
/// share caches by name.
public struct NarrowCaches: Pass {
  public let name = "narrow-caches"
  public let summary = "Keeps the caches of attention in f16."
  public let fidelity = Fidelity.statistical

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    var sites = module.functions.map { Sites($0.graph, &context) }
    let refused = Set(sites.flatMap(\.refused))
    for index in module.functions.indices {
      sites[index].narrow(&module.functions[index].graph, besides: refused, &context)
    }
  }
}

/// The attentions of a function whose caches can be narrow.
private struct Sites {
  private var nodes: [NodeID] = []
  /// Names of the caches of others.
  private(set) var refused: Set<String> = []

  init(_ graph: Graph, _ context: inout PassContext) {
    for id in graph.order {
      let caches = OperatorSet.cacheUpdates(of: graph[id])
      let pasts = caches.compactMap(\.past)
      if pasts.isEmpty { continue }
      if let reason = Self.obstacle(graph, id, caches) {
        context.miss(graph[id], reason)
        refused.formUnion(pasts.map { graph[$0].name })
      } else {
        nodes.append(id)
      }
    }
  }

  /// Why the caches of a node must stay as they are; nil where they need not.
  private static func obstacle(
    _ graph: Graph, _ id: NodeID, _ caches: [(past: ValueID?, present: ValueID?)]
  ) -> String? {
    guard graph[id].operation == "self_attention" else {
      return "general steps read its cache, need self_attention"
    }
    for cache in caches {
      guard let past = cache.past, graph.inputs.contains(past) else {
        return "its past is computed, need an input of the function"
      }
      guard let present = cache.present, graph.isOutput(present) else {
        return "the result for '\(graph[past].name)' is no output of the function"
      }
      guard graph[past].type.element == .f32 else {
        return "'\(graph[past].name)' is \(graph[past].type), need f32"
      }
      let readers = graph.users(of: past) + graph.users(of: present)
      // Extents stay what they are.
      if let other = readers.first(where: { $0 != id && graph[$0].operation != "shape" }) {
        return "'\(graph[past].name)' is read by \(graph[other].operation) as well"
      }
      guard readers.count(where: { $0 == id }) == 1 else {
        return "'\(graph[past].name)' is more than one of its operands"
      }
    }
    return nil
  }

  mutating func narrow(_ graph: inout Graph, besides refused: Set<String>, _ context: inout PassContext) {
    for id in nodes {
      let caches = OperatorSet.cacheUpdates(of: graph[id])
      let names = caches.compactMap { cache in cache.past.map { graph[$0].name } }
      if let name = names.first(where: refused.contains) {
        context.miss(graph[id], "'\(name)' stays f32 in another function")
        continue
      }
      for value in caches.flatMap({ [$0.past, $0.present] }).compactMap({ $0 }) {
        graph[value].type = TensorType(.f16, graph[value].type.shape)
      }
      context.count("caches", by: caches.count)
    }
  }
}
