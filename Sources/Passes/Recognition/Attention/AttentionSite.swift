import GraphIR
import Tensors

/// One attention as an exporter wrote it: where its operands come from. What happens on the way is not looked at
/// here, but evaluated (see ``AttentionMeaning``).
struct AttentionSite {
  /// New rows of queries, keys or values: from a product with constants to where scores or sum read them.
  struct Stream {
    /// The result of the product.
    let source: ValueID
    /// What the scores or the sum read; for keys and values, past rows too.
    let end: ValueID
  }

  /// A cache, and the new entries that are joined to it.
  struct Cache {
    let input: ValueID
    let update: ValueID
    let present: ValueID
  }

  enum Scores {
    /// `product` of queries and keys becomes, with scale and mask, the `logits` that softmax reads.
    case product(ValueID, logits: ValueID)
    /// An `attention` node with its attributes.
    case node(Attributes, mask: ValueID?)
  }

  let location: String
  let query: Stream
  let key: Stream
  let value: Stream
  let keyCache: Cache
  let valueCache: Cache
  let scores: Scores
  /// Factor between the product and the logits; nil is the reciprocal root of the head size.
  let scale: Float?
  let softcap: Float
  /// What is added to the scores or chosen in their place: masks and biases.
  let masks: [ValueID]
  /// The weighted sum of values, and the views of it that only the next one reads.
  let results: [ValueID]
}

/// Finds attention sites by walking from softmax and `attention` nodes.
struct AttentionFinder {
  let graph: Graph
  let signature: DecoderSignature
  let provenance: [Provenance]
  let uses: [ValueID: [NodeID]]
  /// Scalar constants by value.
  let scalar: (ValueID) -> Float?
  /// Results of products with constants.
  private let products: Set<ValueID>

  init(
    _ graph: Graph, _ signature: DecoderSignature, scalar: @escaping (ValueID) -> Float?
  ) {
    self.graph = graph
    self.signature = signature
    self.scalar = scalar
    provenance = Provenance.analysis(of: graph, signature)
    uses = graph.uses()
    products = Set(
      graph.order.filter { graph[$0].operation == "linear" }.compactMap { graph[$0].results[0] })
  }

  /// Operators that only move or rename elements.
  static let movements: Set<String> = [
    "transpose", "reshape", "squeeze", "unsqueeze", "flatten", "identity", "cast", "expand",
  ]

  /// Nodes that read the elements of a value, not only its sizes.
  func readers(of value: ValueID) -> Set<NodeID> {
    Set(uses[value] ?? []).filter { graph[$0].operation != "shape" }
  }

  /// Whether several sequences fit the graph.
  var isBatchFree: Bool { graph[signature.ids].type.shape[0].constant == nil }

  func isData(_ value: ValueID) -> Bool { provenance[Int(value.index)].contains(.data) }

  // MARK: Sites

  /// The attention around a node.
  ///
  /// - Returns: nil when the node is neither softmax over keys nor attention.
  func site(at id: NodeID) throws(Miss) -> AttentionSite? {
    let node = graph[id]
    switch node.operation {
    case "attention": return try site(attention: node)
    case "softmax": return try site(softmax: node)
    default: return nil
    }
  }

  private func site(attention node: Node) throws(Miss) -> AttentionSite {
    guard node.operands.count >= 3, let q = node.operands[0], let k = node.operands[1],
      let v = node.operands[2],
      let y = node.results[0]
    else { throw Miss("it has no query, key or value") }
    guard node.results.dropFirst().allSatisfy({ $0 == nil }) else {
      throw Miss("its scores or caches are read elsewhere")
    }
    guard node.operands.count <= 6 || node.operands[6] == nil else {
      throw Miss("its keys are of several lengths ('nonpad_kv_seqlen')")
    }
    let mask = node.operands.count > 3 ? node.operands[3] : nil
    return try site(
      node, query: q, key: k, value: v, .node(node.attributes, mask: mask),
      scale: node.attributes.float("scale"), softcap: node.attributes.float("softcap", default: 0),
      masks: mask.map { [$0] } ?? [], sum: y)
  }

  private func site(softmax node: Node) throws(Miss) -> AttentionSite? {
    guard let logits = node.operands[0], let weights = node.results[0], isData(logits) else { return nil }
    let axis = node.attributes.int("axis", default: -1)
    guard axis == -1 || axis == graph[logits].type.rank - 1, let sum = weightedSum(weights) else {
      return nil
    }
    let scores = try self.scores(logits)
    return try site(
      node, query: scores.query, key: scores.key, value: sum.values,
      .product(scores.product, logits: logits),
      scale: scores.scale, softcap: scores.softcap, masks: scores.masks, sum: sum.result)
  }

  private func site(
    _ node: Node, query: ValueID, key: ValueID, value: ValueID, _ scores: AttentionSite.Scores,
    scale: Float?, softcap: Float, masks: [ValueID], sum: ValueID
  ) throws(Miss) -> AttentionSite {
    let keyCache = try cache(below: key, "keys")
    let valueCache = try cache(below: value, "values")
    return AttentionSite(
      location: node.location,
      query: .init(source: try source(of: query, "queries"), end: query),
      key: .init(source: try source(of: keyCache.update, "keys"), end: key),
      value: .init(source: try source(of: valueCache.update, "values"), end: value), keyCache: keyCache,
      valueCache: valueCache, scores: scores, scale: scale, softcap: softcap, masks: masks,
      results: views(of: sum))
  }

  // MARK: Scores

  private struct ScoreChain {
    var query: ValueID
    var key: ValueID
    var product: ValueID
    var scale: Float
    var softcap: Float
    var masks: [ValueID]
  }

  /// Walks from the logits up to the product of queries and keys.
  private func scores(_ logits: ValueID) throws(Miss) -> ScoreChain {
    var value = logits
    // Factors between product and tanh, and after tanh.
    var scale: Float = 1
    var softcap: Float = 0
    var masks: [ValueID] = []
    while let producer = graph.producer(of: value) {
      let node = graph[producer]
      if node.operation == "matmul", let q = node.operands[0], let k = node.operands[1] {
        guard isData(q), isData(k) else { throw Miss("the scores are a product with a constant") }
        return ScoreChain(
          query: q, key: k, product: value, scale: scale, softcap: softcap, masks: masks)
      }
      let data = node.operands.compactMap { $0 }.filter(isData)
      guard data.count == 1, let next = data.first else {
        throw Miss("the scores pass through '\(node.operation)' of \(data.count) computed values")
      }
      switch node.operation {
      case "add", "sub", "where": masks += node.operands.compactMap { $0 }.filter { $0 != next }
      case "cast", "identity", "reshape", "squeeze", "unsqueeze": break
      case "mul", "div":
        guard let other = node.operands.compactMap({ $0 }).first(where: { $0 != next }),
          node.operation == "mul" || node.operands[0] == next, graph.constantName(of: other) != nil
        else { throw Miss("the scores are scaled by something that is no constant") }
        guard let factor = scalar(other) else {
          throw Miss(
            "the scores are scaled by the constant '\(graph[other].name)' of \(graph[other].type), need one number"
          )
        }
        scale *= node.operation == "mul" ? factor : 1 / factor
      case "tanh":
        guard softcap == 0 else { throw Miss("the scores pass through 'tanh' twice") }
        softcap = scale
      default: throw Miss("the scores pass through '\(node.operation)'")
      }
      value = next
    }
    throw Miss("the scores are no product")
  }

  /// The product of softmax's result with values, behind guards against NaN.
  private func weightedSum(_ weights: ValueID) -> (values: ValueID, result: ValueID)? {
    var value = weights
    for _ in 0..<8 {
      let readers = readers(of: value)
      let next = readers.filter { graph[$0].operation != "is_nan" }
      guard next.count == 1, let id = next.first, let result = graph[id].results[0] else { return nil }
      let node = graph[id]
      switch node.operation {
      case "matmul":
        guard node.operands[0] == value, let values = node.operands[1], isData(values) else { return nil }
        return (values, result)
      case "where", "cast", "identity", "reshape": value = result
      default: return nil
      }
    }
    return nil
  }

  // MARK: Streams

  /// Everything that a value is computed from, not looking behind the values in `stops`.
  func cone(below end: ValueID, stops: Set<ValueID> = []) -> Set<ValueID> {
    var seen: Set<ValueID> = [end]
    var pending = [end]
    while let value = pending.popLast() {
      guard !stops.contains(value), let producer = graph.producer(of: value) else { continue }
      for case let operand? in graph[producer].operands where isData(operand) {
        if seen.insert(operand).inserted { pending.append(operand) }
      }
    }
    return seen
  }

  private func cache(below end: ValueID, _ what: String) throws(Miss) -> AttentionSite.Cache {
    var presents: [ValueID: AttentionSite.Cache] = [:]
    for cache in signature.caches {
      guard let update = cache.update else { continue }
      presents[cache.present] = .init(input: cache.input, update: update, present: cache.present)
    }
    let found = cone(below: end, stops: products.union(presents.keys)).compactMap { presents[$0] }
    guard found.count == 1 else {
      throw Miss("\(what) are read from \(found.count) caches, need 1 that new rows are joined to")
    }
    return found[0]
  }

  private func source(of end: ValueID, _ what: String) throws(Miss) -> ValueID {
    let reached = cone(below: end, stops: products)
    let sources = reached.filter { products.contains($0) }
    guard sources.count == 1, let source = sources.first else {
      throw Miss("\(what) come from \(sources.count) products with constants, need 1")
    }
    if let input = reached.first(where: { graph.producer(of: $0) == nil }) {
      throw Miss("\(what) also depend on '\(graph[input].name)'")
    }
    return source
  }

  /// A value and the views of it, as long as there is one reader and it is a view.
  private func views(of value: ValueID) -> [ValueID] {
    var views = [value]
    while let last = views.last, case let readers = readers(of: last), readers.count == 1,
      let id = readers.first, Self.movements.contains(graph[id].operation), let result = graph[id].results[0]
    { views.append(result) }
    return views
  }
}
