import GraphIR
import Operators
import Tensors

/// The part that each input of an exported decoder plays, whatever the exporter calls it.
///
///     ids, positions: whole numbers [batch, rows]      mask: whole numbers or booleans [batch, past + rows]
///     caches: numbers [batch, heads, past, size], joined with new entries along axis 2
struct DecoderSignature {
  struct Cache {
    let input: ValueID
    /// The new entries, where they are a value of their own; `self_attention` makes and joins them itself.
    let update: ValueID?
    /// The cache with the new entries.
    let present: ValueID
  }

  let ids: ValueID
  let mask: ValueID?
  let positions: ValueID?
  let caches: [Cache]

  /// Axis of a cache along which it grows.
  static let cacheAxis = 2

  /// - Returns: nil where no input can be the ids, or no cache is joined.
  init?(_ graph: Graph) {
    caches = Self.caches(of: graph)
    let integers = graph.inputs.filter { !graph[$0].type.element.isFloatingPoint && graph[$0].type.rank == 2 }
    let indices = Self.rowIndices(of: graph)
    guard !caches.isEmpty,
      let ids = integers.first(where: { graph[$0].name == "input_ids" })
        ?? integers.first(where: { indices.contains($0) })
    else { return nil }
    self.ids = ids
    let others = integers.filter { $0 != ids }
    // Positions have the extents of the ids; a mask also covers the past.
    positions =
      others.first { graph[$0].name == "position_ids" }
      ?? others.first { graph[$0].type.shape == graph[ids].type.shape }
    let positions = positions
    mask = others.first { graph[$0].name == "attention_mask" } ?? others.first { $0 != positions }
  }

  /// Positions that a module is made for: what is known of it, or 4096.
  static func context(of module: Module) -> Int {
    module.metadata["context_length"].flatMap { Int($0) } ?? 4096
  }

  private static func caches(of graph: Graph) -> [Cache] {
    var caches: [Cache] = []
    for id in graph.order {
      let node = graph[id]
      switch node.operation {
      case "concat", "cache_append":
        guard node.operands.count == 2, let input = node.operands[0], let update = node.operands[1],
          let present = node.results[0], isCache(input, in: graph), let axis = node.attributes.int("axis"),
          axis == cacheAxis || axis == cacheAxis - 4
        else { continue }
        caches.append(Cache(input: input, update: update, present: present))
      default:
        for case let (input?, present?) in OperatorSet.cacheUpdates(of: node) where isCache(input, in: graph)
        {
          caches.append(Cache(input: input, update: nil, present: present))
        }
      }
    }
    return caches
  }

  private static func isCache(_ value: ValueID, in graph: Graph) -> Bool {
    guard case .input = graph[value].definition else { return false }
    return graph[value].type.rank == 4 && graph[value].type.element.isFloatingPoint
  }

  /// Inputs that pick rows of a matrix.
  private static func rowIndices(of graph: Graph) -> Set<ValueID> {
    var indices: Set<ValueID> = []
    for id in graph.order {
      let node = graph[id]
      guard node.operation == "gather" || node.operation == "embedding", node.operands.count >= 2,
        let a = node.operands[0], let b = node.operands[1]
      else { continue }
      let (table, index) = node.operation == "gather" ? (a, b) : (b, a)
      if graph[table].type.rank == 2, graph[table].type.element.isFloatingPoint { indices.insert(index) }
    }
    return indices
  }

  /// Values of the symbols in the types of ids, mask, positions and caches.
  func sizes(_ probe: Probe, in graph: Graph) -> [String: Int] {
    var sizes: [String: Int] = [:]
    func bind(_ dim: Dim, _ size: Int) { if let name = dim.symbol, sizes[name] == nil { sizes[name] = size } }
    for value in [ids, positions].compactMap({ $0 }) {
      bind(graph[value].type.shape[0], probe.batch)
      bind(graph[value].type.shape[1], probe.rows)
    }
    for cache in caches {
      let (held, present) = (graph[cache.input].type.shape, graph[cache.present].type.shape)
      bind(held[0], probe.batch)
      bind(held[Self.cacheAxis], probe.past)
      // What exporters leave open in a cache, the entries that join it tell.
      for axis in [1, 3] { if let size = present[axis].constant { bind(held[axis], size) } }
    }
    if let mask {
      bind(graph[mask].type.shape[0], probe.batch)
      bind(graph[mask].type.shape[1], probe.past + probe.rows)
    }
    return sizes
  }
}

/// Sizes at which a decoder is looked at: new tokens after a past, for a batch of sequences.
struct Probe: Hashable {
  var batch = 1
  var rows: Int
  var past: Int
}
