public import GraphIR
import Operators
import Tensors

/// Splits a small model that reads hidden states of a large one into the two things that it does.
///
///     func @tandem(%input_ids: i64[B, S], %past: [.., P, ..], %tap: [B, R, K], ...)
///       -> (logits: [B, S, V], present: [.., P + R + S, ..])
///                                    ──►
///     func @small(%input_ids: i64[B, S], %past: [.., P, ..], ...) -> (logits, present: [.., P + S, ..])
///     func @refresh(%past: [.., P, ..], %tap: [B, R, K], ...) -> (present: [.., P + R, ..])
///
/// `@small` is the graph with R = 0: an ordinary decoder over its own caches. `@refresh` is its caches with S = 0: what
/// projections, norms and the key and value maps make of the large model's hidden states. Both are ordinary functions
/// from here on, over common constants. An output of the small graph with one number per token is its router.
///
/// A pair comes as two graphs (``Module/join(small:)``), or as one that holds both (``TandemCut``).
///
/// Requires: that with R = 0 nothing depends on taps, and with S = 0 no cache on the small model's own tokens.
/// Before everything else, which then sees these functions alone.
public struct SplitTandem: Pass {
  public let name = "split-tandem"
  public let summary =
    "Splits a small model that reads a large one's hidden states into drafting and refresh."
  public let fidelity = Fidelity.exact

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    try cut(&module, &context)
    guard let index = module.functions.firstIndex(where: { $0.name == TandemPair.joined }) else { return }
    let whole = module.functions[index].graph
    let pair = try TandemPair(large: module.main.graph, small: whole)
    var small = try specialize(whole, [pair.rows: 0], &module, context)
    if let tap = pair.taps.first(where: { name in small.inputs.contains { small[$0].name == name } }) {
      throw Miss("the small model reads '\(tap)' even where it has no rows")
    }
    small.removeUnusedConstants()
    nameRouter(of: &small, pair.sequence, &context)
    var refresh = whole
    let caches = Set(small.inputs.filter { small[$0].type.rank == 4 }.map { small[$0].name })
    refresh.outputs = whole.outputs.filter { whole[$0.value].type.rank == 4 }
    refresh.removeDeadNodes()
    refresh = try specialize(refresh, [pair.sequence: 0], &module, context)
    if refresh.inputs.contains(where: { refresh[$0].name == "input_ids" }) {
      throw Miss("caches of the small model depend on its own tokens even where there are none")
    }
    let missing = caches.subtracting(refresh.inputs.map { refresh[$0].name })
    guard missing.isEmpty, !caches.isEmpty else {
      throw Miss("no hidden state of the large model reaches the caches \(missing.sorted())")
    }
    module.functions.replaceSubrange(
      index...index,
      with: [Module.Function(TandemPair.small, small), Module.Function(TandemPair.refresh, refresh)])
    module.metadata["tandem"] = Self.layers(pair, module.main.graph, refresh)
    context.note("tandem: \(module.metadata["tandem"]!)")
    context.count("functions", by: 2)
  }

  /// Names the small model's output of one number per token, if there is one.
  private func nameRouter(of small: inout Graph, _ sequence: String, _ context: inout PassContext) {
    let places = small.outputs.indices.filter { index in
      let type = small[small.outputs[index].value].type
      return type.element == .f32 && (type.rank == 2 || type.rank == 3 && type.shape[2] == 1)
        && type.shape[1] == Dim(sequence)
    }
    guard places.count == 1 else { return }
    context.note(
      "tandem: '\(small.outputs[places[0]].name)' of the small model is the router, which tells how likely a proposal"
        + " is right")
    small.outputs[places[0]].name = TandemPair.router
  }

  /// Takes one graph that holds both models apart, and says where.
  private func cut(_ module: inout Module, _ context: inout PassContext) throws {
    guard module.functions.count == 1 else { return }
    var found: TandemCut?
    do {
      found = try TandemCut(module.main.graph)
    } catch {
      // Two heads may be something else than a pair.
      context.note("one graph with two heads over the vocabulary, but no tandem pair: \(error.reason)")
    }
    guard let cut = found else { return }
    let taps = cut.taps.map { "\($0.name) \($0.type)" }.joined(separator: ", ")
    context.note(
      "one graph of two models, cut at \(taps): \(cut.large.order.count) nodes of the large one, "
        + "\(cut.small.order.count) of the small one")
    module.functions = [
      Module.Function(TandemPair.large, cut.large), Module.Function(TandemPair.joined, cut.small),
    ]
  }

  /// The graph with some sizes known, without what is computed of nothing then.
  private func specialize(
    _ source: Graph, _ sizes: [String: Dim], _ module: inout Module, _ context: PassContext
  ) throws -> Graph {
    let (graph, constants) = try PhaseBuilder(
      source, sizes, head: nil, constants: module.constants, context
    ).build()
    var single = Module(functions: [Module.Function("", graph)], constants: constants)
    var inner = PassContext(operators: context.operators, symbols: context.symbols)
    for pass in [
      FoldConstants(limit: 1 << 12), RewritePass.canonicalize, EliminateCommonSubexpressions(),
      EliminateDeadCode(),
    ] as [any Pass] {
      try pass.run(on: &single, context: &inner)
    }
    module.constants.merge(single.constants) { $1 }
    var result = single.main.graph
    for input in result.inputs where result.users(of: input).isEmpty && !result.isOutput(input) {
      result.removeInput(input)
    }
    return result
  }

  /// `tandem_states.0 after layer 1 of 4 -> past_key_values.0.key, past_key_values.0.value; ...`: the layer map.
  private static func layers(_ pair: TandemPair, _ large: Graph, _ refresh: Graph) -> String {
    let total = large.cacheInputs(below: large.outputs.map(\.value)).count
    return pair.taps.map { tap in
      let depth =
        large.outputs.first { $0.name == tap }.map { large.cacheInputs(below: [$0.value]).count } ?? 0
      let read = refresh.outputs.filter { output in
        refresh.inputs(below: [output.value]).contains { refresh[$0].name == tap }
      }
      // A layer has a cache of keys and one of values.
      return "\(tap) after layer \(depth / 2) of \(total / 2) -> \(read.map(\.name).joined(separator: ", "))"
    }.joined(separator: "; ")
  }
}

extension Graph {
  /// The inputs whose elements values are computed from.
  fileprivate func inputs(below roots: [ValueID]) -> Set<ValueID> {
    reach(from: roots, sizes: false).intersection(inputs)
  }

  fileprivate func cacheInputs(below roots: [ValueID]) -> Set<ValueID> {
    inputs(below: roots).filter { self[$0].type.rank == 4 }
  }
}
