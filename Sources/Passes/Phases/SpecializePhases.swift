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
    guard module.functions.count == 1 else {
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
    for phase in Self.phases {
      let function = try specialize(main, form, phase, phase.lastOnly ? head : nil, &module, context)
      module.functions.append(function)
      context.count("phases")
    }
  }

  private func miss(_ function: Module.Function, _ reason: String, _ context: inout PassContext) {
    context.miss(Node("func", operands: [], results: [], location: "@\(function.name)"), reason)
  }

  private func specialize(
    _ main: Module.Function, _ form: DecoderForm, _ phase: Phase, _ head: LastPositionHead?,
    _ module: inout Module, _ context: PassContext
  ) throws -> Module.Function {
    let sizes = form.sizes(tokens: phase.largest == 1 ? 1 : Dim(form.sequence))
    let (graph, constants) = try PhaseBuilder(
      main.graph, sizes, head: head, constants: module.constants, context
    ).build()
    var single = Module(functions: [Module.Function(phase.name, graph)], constants: constants)
    // What these passes count and miss was told for `main`.
    var inner = PassContext(operators: context.operators, symbols: context.symbols)
    for pass in [
      FoldConstants(limit: Self.foldingLimit), EliminateCommonSubexpressions(), EliminateDeadCode(),
    ] as [any Pass] {
      try pass.run(on: &single, context: &inner)
    }
    module.constants.merge(single.constants) { $1 }
    single.main.bounds = bounds(form, phase, sizes, module)
    return single.main
  }

  /// Caches and masks are as long as the context at most.
  private func bounds(
    _ form: DecoderForm, _ phase: Phase, _ sizes: [String: Dim], _ module: Module
  ) -> [String: Int] {
    var bounds = phase.largest == 1 ? [:] : [form.sequence: phase.largest]
    if let context = module.metadata["context_length"].flatMap({ Int($0) }) {
      for symbol in form.lengths(besides: sizes) { bounds[symbol] = context }
    }
    return bounds
  }
}
