public import GraphIR
import Operators
import Tensors

/// Recognizes attention over a key/value cache by what it computes, whatever the exporter wrote, and makes it one
/// node with its head norms, rotary positions, mask and caches.
///
///     %q = linear(%x, @wq) ...  %k = linear(%x, @wk) ...  %v = linear(%x, @wv) ...
///     (some 5 to 150 nodes)                                     ──►
///     %w   = concat(@wq, @wk, @wv) {axis = 0}
///     %qkv = linear(%x, %w)
///     %y, %pk, %pv = self_attention(%qkv, %past_k, %past_v, @q_norm, @k_norm, @cos, @sin, %position_ids) {...}
///
/// Requires: keys and values of a cache that new rows are joined to; queries, keys and values that come from products
/// with constants. ``AttentionReader`` says how the rest is found out; every reading is compared with the graph
/// (``AttentionProof``) before it replaces anything.
public struct RecognizeAttention: Pass {
  public let name = "recognize-attention"
  public let summary = "Makes attention with its norms, rotary positions, mask and caches one node."
  public let fidelity = Fidelity.rounding

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    let limit = DecoderSignature.context(of: module)
    for index in module.functions.indices {
      guard let signature = DecoderSignature(module.functions[index].graph) else { continue }
      var rewriter = AttentionRewriter(
        module.functions[index].graph, module.constants, signature, limit: limit, context.operators,
        context.symbols)
      try rewriter.run(&context)
      module.functions[index].graph = rewriter.builder.graph
      module.constants = rewriter.builder.constants
    }
  }
}

/// Rewrites the attention sites of one function.
private struct AttentionRewriter {
  var builder: GraphBuilder
  private let finder: AttentionFinder
  private let evaluators: ProbeEvaluators
  private let interpreter: Interpreter
  private let limit: Int
  private let readings = AttentionReadings()
  private var names: [(value: ValueID, name: String)] = []
  /// Caches that an attention before appends to.
  private var taken: Set<ValueID> = []

  init(
    _ graph: Graph, _ constants: [String: Tensor], _ signature: DecoderSignature, limit: Int,
    _ operators: OperatorTable, _ symbols: SymbolSource
  ) {
    builder = GraphBuilder(graph, constants: constants, operators: operators, symbols: symbols)
    let evaluators = ProbeEvaluators(graph, constants: constants, operators, signature)
    self.evaluators = evaluators
    finder = AttentionFinder(graph, signature) { evaluators.scalar($0) }
    interpreter = Interpreter(Module(), operators: operators)
    self.limit = limit
  }

  mutating func run(_ context: inout PassContext) throws {
    for id in finder.graph.order where context.patches.isOpen {
      do throws(Miss) {
        guard let site = try finder.site(at: id) else { continue }
        guard finder.graph[finder.signature.ids].type.shape[1].constant == nil else {
          throw Miss("the graph takes a fixed number of tokens at a time")
        }
        try checkCaches(of: site)
        let meaning = try AttentionReader(
          finder: finder, site: site, evaluators: evaluators, readings: readings, interpreter: interpreter,
          limit: limit
        ).meaning()
        try AttentionProof(
          finder: finder, site: site, evaluators: evaluators, readings: readings, interpreter: interpreter,
          limit: limit
        ).check(meaning)
        try write(meaning, site, before: id)
        taken.formUnion([site.keyCache.input, site.valueCache.input])
        context.patches.append("recognize-attention: one node", location: site.location)
        context.count("attention")
      } catch {
        context.miss(finder.graph[id], error.reason)
      }
    }
    guard builder.graph.sortNodes() else {
      throw OperatorError("attention nodes would read their own results")
    }
    builder.graph.removeDeadNodes()
    for (value, name) in names { builder.graph.rename(value, to: name) }
  }

  /// One node appends to a cache, in place: it must come in and go out, and belong to one attention.
  private func checkCaches(of site: AttentionSite) throws(Miss) {
    for cache in [site.keyCache, site.valueCache] {
      let graph = finder.graph
      guard graph.isOutput(cache.present) else {
        throw Miss("the cache '\(graph[cache.input].name)' does not leave the function with its new entries")
      }
      guard graph[cache.input].type.element == .f32 else {
        throw Miss("the cache '\(graph[cache.input].name)' is \(graph[cache.input].type.element), need f32")
      }
      guard !taken.contains(cache.input) else {
        throw Miss("the cache '\(graph[cache.input].name)' is read by an attention before it too")
      }
    }
  }

  // MARK: Writing

  private mutating func write(_ meaning: AttentionMeaning, _ site: AttentionSite, before anchor: NodeID)
    throws(Miss)
  {
    builder.position = anchor
    builder.location = site.location
    do throws(OperatorError) {
      let signature = finder.signature
      let rotary = meaning.rotary.map { tables in
        (builder.constant(tables.cos, name: "rotary_cos"), builder.constant(tables.sin, name: "rotary_sin"))
      }
      let slopes = meaning.mask.slopes.map { builder.constant(Tensor(f32: $0), name: "slopes") }
      var operands: [ValueID?] = [
        try packed(meaning), site.keyCache.input, site.valueCache.input, meaning.queryNorm?.scale,
        meaning.keyNorm?.scale, rotary?.0, rotary?.1, meaning.readsPositions ? signature.positions : nil,
        meaning.mask.readsKeyMask ? signature.mask : nil, slopes,
      ]
      while operands.last == .some(nil) { operands.removeLast() }
      let results = try builder.add(
        "self_attention", operands, meaning.attributes, names: ["attention", "key", "value"])
      for (old, new) in zip([meaning.result, site.keyCache.present, site.valueCache.present], results) {
        guard let new else { continue }
        names.append((new, builder.graph[old].name))
        builder.graph.replaceUses(of: old, with: new)
      }
    } catch {
      throw Miss(error.message)
    }
  }

  /// Queries, keys and values side by side: one product, of rows of the constants in the order of the heads.
  private mutating func packed(_ meaning: AttentionMeaning) throws(OperatorError) -> ValueID {
    let projections = [meaning.query, meaning.key, meaning.value]
    let columns = projections.flatMap(\.columns)
    let first = projections[0].source
    if projections.allSatisfy({ $0.source == first }),
      builder.type(first).shape.last == Dim(columns.count), columns == Array(columns.indices)
    {
      return first
    }
    let products = projections.map { builder.graph[finder.graph.producer(of: $0.source)!] }
    guard let x = products[0].operands[0], products.allSatisfy({ $0.operands[0] == x }) else {
      throw OperatorError("queries, keys and values are products of different operands")
    }
    var weights: [ValueID?] = []
    for (product, projection) in zip(products, projections) {
      weights.append(try rows(projection.columns, of: product.operands[1]!))
    }
    let weight = try builder.add("concat", weights, Attributes(["axis": .int(0)]))[0]
    var bias: ValueID?
    if products.contains(where: { $0.operands.count > 2 && $0.operands[2] != nil }) {
      var parts: [ValueID?] = []
      for (product, projection) in zip(products, projections) {
        if product.operands.count > 2, let part = product.operands[2] {
          parts.append(try rows(projection.columns, of: part))
        } else {
          parts.append(builder.constant(Tensor(.f32, [projection.columns.count]), name: "no_bias"))
        }
      }
      bias = try builder.add("concat", parts, Attributes(["axis": .int(0)]))[0]
    }
    return try builder.add("linear", bias == nil ? [x, weight] : [x, weight, bias], names: ["qkv"])[0]!
  }

  /// Some rows of a constant, in order.
  private mutating func rows(_ indices: [Int], of constant: ValueID) throws(OperatorError) -> ValueID {
    let (first, end) = (indices[0], indices[0] + indices.count)
    guard indices == Array(first..<end) else {
      return try builder("gather", constant, builder.constant(indices), attributes: ["axis": .int(0)])
    }
    if builder.type(constant).shape[0] == Dim(indices.count) { return constant }
    return try builder(
      "slice", constant, builder.constant([first]), builder.constant([end]), builder.constant([0]))
  }
}
