public import GraphIR
import Tensors

/// Makes the functions that generation runs of a decoder: one sequence, and a number of tokens that is known.
///
///     func @main(%input_ids: i64[batch, seq], ...) -> (logits: f32[batch, seq, V], ...)
///                                    ──►
///     func @decode(%input_ids: i64[1, 1], ...) -> (logits: f32[1, 1, V], ...)
///     func @block(%input_ids: i64[1, seq], ...) -> (logits: f32[1, seq, V], ...) bounds {seq = 16, ...}
///     func @prefill(%input_ids: i64[1, seq], ...) -> (logits: f32[1, 1, V], ...) bounds {seq = 512, ...}
///
/// The functions share their constants and, by the names of the inputs, their caches. `main` stays for
/// tensors of any size. Types are inferred anew, and what becomes known is folded away.
///
/// Of a tandem module, whose first function is `large`, `small` becomes a function for one token, and `refresh` one for
/// up to 512, the longest piece of a prompt.
public struct SpecializePhases: Pass {
  public let name = "specialize-phases"
  public let summary = "Makes functions for one token, a block, and a prompt of a decoder."
  public let fidelity = Fidelity.exact

  /// A function that is made: its name, and the tokens of a run.
  private struct Phase {
    let name: String
    let largest: Int
    let lastOnly: Bool
  }

  private static let phases = [
    Phase(name: "decode", largest: 1, lastOnly: false),
    Phase(name: "block", largest: 16, lastOnly: false),
    Phase(name: "prefill", largest: 512, lastOnly: true),
  ]

  /// Bytes. Sizes and shapes become known; larger results were left to planning, which stores them once for
  /// all functions.
  private static let foldingLimit = 1 << 12

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    guard module.functions.count == 1 || TandemPair.isSplit(module) else {
      miss(
        module.main, "phases are made of a module with one function, this has \(module.functions.count)",
        &context)
      return
    }
    let main = module.main
    let form: DecoderForm
    do throws(Miss) {
      form = try DecoderForm(main.graph)
    } catch {
      miss(main, "no decoder: \(error.reason)", &context)
      return
    }
    let head = LastPositionHead(form.logits, in: main.graph)
    if head == nil, let node = main.graph.producer(of: form.logits) {
      context.miss(main.graph[node], "the head cannot be cut down to the last position")
    }
    var functions = [main]
    for phase in Self.phases {
      functions.append(try specialize(main, form, phase, phase.lastOnly ? head : nil, &module, context))
      context.count("phases")
    }
    for function in module.functions.dropFirst() {
      functions.append(try specialize(function, &module, context))
      context.count("phases")
    }
    module.functions = functions
  }

  /// A function of a tandem module beside the large model.
  private func specialize(
    _ function: Module.Function, _ module: inout Module, _ context: PassContext
  ) throws -> Module.Function {
    guard function.name == TandemPair.refresh else {
      let phase = Phase(name: function.name, largest: 1, lastOnly: false)
      return try specialize(function, try DecoderForm(function.graph), phase, nil, &module, context)
    }
    let types = function.graph.inputs.map { function.graph[$0].type }
    var (sizes, bounds): ([String: Dim], [String: Int]) = ([:], [:])
    for type in types { if let batch = type.shape.first?.symbol { sizes[batch] = 1 } }
    let symbols = Set(types.flatMap { $0.shape.flatMap(\.symbols) }).subtracting(sizes.keys)
    let rows = types.first { $0.rank == 3 }?.shape[1].symbol
    for symbol in symbols {
      bounds[symbol] = symbol == rows ? Self.phases.map(\.largest).max() : self.context(of: module)
    }
    return try specialize(function, name: function.name, sizes, nil, bounds, &module, context)
  }

  private func miss(_ function: Module.Function, _ reason: String, _ context: inout PassContext) {
    context.miss(Node("func", operands: [], results: [], location: "@\(function.name)"), reason)
  }

  private func specialize(
    _ main: Module.Function, _ form: DecoderForm, _ phase: Phase, _ head: LastPositionHead?,
    _ module: inout Module, _ context: PassContext
  ) throws -> Module.Function {
    let sizes = form.sizes(tokens: phase.largest == 1 ? 1 : Dim(form.sequence))
    let bounds = bounds(form, phase, sizes, module)
    return try specialize(main, name: phase.name, sizes, head, bounds, &module, context)
  }

  private func specialize(
    _ main: Module.Function, name: String, _ sizes: [String: Dim], _ head: LastPositionHead?,
    _ bounds: [String: Int], _ module: inout Module, _ context: PassContext
  ) throws -> Module.Function {
    let (graph, constants) = try PhaseBuilder(
      main.graph, sizes, head: head, constants: module.constants, context
    ).build()
    var single = Module(functions: [Module.Function(name, graph)], constants: constants)
    // What these passes count and miss was told for `main`.
    var inner = PassContext(operators: context.operators, symbols: context.symbols)
    for pass in [
      FoldConstants(limit: Self.foldingLimit), EliminateCommonSubexpressions(), EliminateDeadCode(),
    ] as [any Pass] {
      try pass.run(on: &single, context: &inner)
    }
    module.constants.merge(single.constants) { $1 }
    single.main.bounds = bounds
    return single.main
  }

  /// Caches and masks are as long as the context at most.
  private func bounds(
    _ form: DecoderForm, _ phase: Phase, _ sizes: [String: Dim], _ module: Module
  ) -> [String: Int] {
    var bounds = phase.largest == 1 ? [:] : [form.sequence: phase.largest]
    if let context = context(of: module) {
      for symbol in form.lengths(besides: sizes) { bounds[symbol] = context }
    }
    return bounds
  }

  private func context(of module: Module) -> Int? { module.metadata["context_length"].flatMap { Int($0) } }
}
