import Compiler
import Foundation
import GraphIR
import Kernels
import Operators
import PlanFormat
import Planning
import Tensors
import TestSupport
import Tokenization

@testable import Passes

/// A HiRE head whose predictor is as bad as asked for: candidates are the tokens with the largest logits after noise
/// was added, one number for each token of the vocabulary.
///
///     candidate_ids = top_k(logits + noise)       candidate_logits = logits[candidate_ids]
struct NoisyHead {
  /// Candidates of a token.
  var count = 8
  /// Of the noise, in logits. 0 finds the likeliest tokens, much more than the spread of the logits is chance.
  var deviation: Float = 0
  /// Added to the log normalizer.
  var normalizerError: Float = 0
  var exactness = "deferred"
  /// Whether there are bounds where nothing is certified, too.
  var isBounded = false
  /// Rows that bounds may leave.
  var capacity = 200
  /// Whether the head is stored in nested planes, of which bounds read the first.
  var isNested = false
  /// Whether a predictor finds the candidates, as the compiler's do, in place of noise; its basis is fitted to nothing.
  var isPredicted = false

  /// Adds the functions to a module with phases.
  func add(to module: inout Module) throws {
    for (name, source) in [("decode_hire", "decode"), ("block_hire", "block")] {
      guard let phase = module.functions.first(where: { $0.name == source }) else { throw Missing(source) }
      var function = phase
      function.name = name
      try isPredicted ? predictLogits(of: &function, in: &module) : replaceLogits(of: &function, in: &module)
      module.functions.append(function)
    }
    try addDenseHead(to: &module)
    if isBounded || exactness == "certified" { try addBounds(to: &module) }
  }

  /// Bounds as the compiler makes them, from 5 bits or high nibbles, and without a metric.
  private func addBounds(to module: inout Module) throws {
    guard let block = module.functions.first(where: { $0.name == "block" }) else { throw Missing("block") }
    let site = try HeadSite(block.graph, logits: "logits")
    let (weights, _) = try WeightNumbers(
      graph: block.graph, constants: module.constants, operators: OperatorSet.standard
    ).matrix(site.weight)
    let (vocabulary, width, pool) = (weights.shape[0], weights.shape[1], ThreadPool(threadCount: 2))
    let stored = isNested ? HireMeasurement.packed(weights, .q8n32, pool) : weights
    let bounds = RowBoundTensors(
      WeightMatrix(isNested ? .q8n32 : .f32, stored.base, rows: vocabulary, columns: width),
      in: isNested ? nil : .q5b32, metric: nil, pool: pool)
    module.constants["hire.bound"] = bounds.weight
    module.constants["hire.bound_error"] = bounds.error
    module.constants["hire.bound_slack"] = bounds.slack
    var attributes = block.graph[site.node].attributes
    attributes["last_only"] = nil
    if !isNested { attributes["bound_format"] = .string("q5b32") }
    attributes["capacity"] = .int(capacity)
    for isShifted in [false, true] {
      module.functions.append(
        try HireSoftmax.certifier(
          block, "logits", attributes, isShifted: isShifted, module, OperatorSet.standard,
          SymbolSource(unusedIn: module)))
    }
  }

  struct Missing: Error {
    let name: String
    init(_ name: String) { self.name = name }
  }

  private func builder(_ graph: Graph, _ module: Module) -> GraphBuilder {
    GraphBuilder(
      graph, constants: module.constants, operators: OperatorSet.standard,
      symbols: SymbolSource(unusedIn: module))
  }

  private func logits(_ graph: Graph) throws -> (value: ValueID, hidden: ValueID) {
    guard let value = graph.outputs.first(where: { $0.name == "logits" })?.value,
      let node = graph.order.last(where: { graph[$0].operation == "lm_head" }),
      let hidden = graph[node].operands[0]
    else { throw Missing("lm_head") }
    return (value, hidden)
  }

  private func replaceLogits(of function: inout Module.Function, in module: inout Module) throws {
    let (logits, hidden) = try logits(function.graph)
    var builder = builder(function.graph, module)
    guard let vocabulary = builder.type(logits).shape.last?.constant else { throw Missing("vocabulary") }
    var random = SeededGenerator(seed: 5)
    let noise = (0..<vocabulary).map { _ in
      // The sum of twelve uniform numbers has the variance 1.
      deviation * (0..<12).reduce(-6) { sum, _ in sum + Float.random(in: 0..<1, using: &random) }
    }
    let noisy = try builder("add", logits, builder.constant(Tensor(f32: noise, [vocabulary]), name: "noise"))
    let top = try builder.add(
      "top_k", [noisy, builder.constant([min(count, vocabulary)])], names: ["values", "places"])
    let picked = try builder(
      "gather_elements", logits, top[1], attributes: ["axis": .int(-1)])
    let ids = try builder("cast", top[1], attributes: ["to": .element(.i32)])
    let sum = try builder(
      "reduce_log_sum_exp", logits, builder.constant([-1]), attributes: ["keepdims": .int(0)])
    let normalizer = try builder("add", sum, builder.constant(normalizerError))
    let rest = builder.graph.outputs.filter { $0.name != "logits" }
    builder.graph.outputs =
      [
        ("candidate_logits", picked), ("candidate_ids", ids), ("log_normalizer", normalizer),
        ("hidden", hidden),
      ] + rest
    function.graph = builder.graph
    module.constants = builder.constants
  }

  /// Candidates by the first coordinates of hidden states, in two stages.
  private func predictLogits(of function: inout Module.Function, in module: inout Module) throws {
    let site = try HeadSite(function.graph, logits: "logits")
    let (weights, _) = try WeightNumbers(
      graph: function.graph, constants: module.constants, operators: OperatorSet.standard
    ).matrix(site.weight)
    let width = weights.shape[1]
    let unit = (0..<width * width).map { $0 / width == $0 % width ? 1.0 : 0 }
    let form = HireForm(
      scan: PredictorTrial(rank: 8, coding: .scan(bits: 4)),
      rows: PredictorTrial(rank: 32, coding: .rows(.q8b32)),
      shardRows: 64, survivors: 16, candidates: count)
    let predictor = HirePredictor(
      form, HeadBasis(orthogonal: unit, width: width), weights: weights, pool: ThreadPool(threadCount: 2))
    var attributes = function.graph[site.node].attributes
    for (name, value) in [
      ("scan_rank", 8), ("scan_bits", 4), ("shard_rows", 64), ("survivors", 16), ("candidates", count),
    ] { attributes[name] = .int(value) }
    var builder = builder(function.graph, module)
    builder.position = site.node
    func constant(_ tensor: Tensor, _ name: String) -> ValueID {
      builder.constant(tensor, name: "hire.\(name)")
    }
    let found = try builder.add(
      "hire_lm_head",
      [
        site.hidden, site.weight, constant(predictor.projection, "projection"),
        constant(predictor.scan, "scan"),
        constant(predictor.rowIDs, "row_ids"), constant(predictor.rows!, "rows"), site.bias,
      ], attributes, names: ["candidate_logits", "candidate_ids", "log_normalizer"])
    let rest = builder.graph.outputs.filter { $0.name != "logits" }
    builder.graph.outputs =
      zip(["candidate_logits", "candidate_ids", "log_normalizer"], found).map { ($0, $1!) }
      + [("hidden", site.hidden)] + rest
    builder.graph.removeDeadNodes()
    function.graph = builder.graph
    module.constants = builder.constants
  }

  private func addDenseHead(to module: inout Module) throws {
    guard let block = module.functions.first(where: { $0.name == "block" }) else { throw Missing("block") }
    let (logits, hidden) = try logits(block.graph)
    var builder = builder(Graph(), module)
    let width = block.graph[hidden].type.shape[2]
    var copies = [hidden: builder.graph.addInput("hidden", TensorType(.f32, [1, Dim("rows"), width]))]
    func copy(_ value: ValueID) throws -> ValueID {
      if let copy = copies[value] { return copy }
      if let name = block.graph.constantName(of: value) {
        return builder.graph.addConstant(
          name, block.graph[value].type, content: block.graph[value].content)
      }
      let node = block.graph[block.graph.producer(of: value)!]
      let operands = try node.operands.map { try $0.map(copy) }
      let result = try builder.add(node.operation, operands, node.attributes)[0]!
      copies[value] = result
      return result
    }
    builder.graph.outputs = [("logits", try copy(logits))]
    module.functions.append(Module.Function("head", builder.graph, bounds: ["rows": 16]))
    module.constants = builder.constants
  }
}

extension CompiledPlan {
  /// A model with a noisy head beside the dense one, in f32 or nested planes.
  ///
  /// - Parameter context: tokens that fit.
  convenience init(_ model: String, _ head: NoisyHead, context: Int = 512) throws {
    var options = ConversionOptions(model: model)
    options.weights = head.isNested ? .q8n : .f32
    options.maxContext = context
    var module = try Conversion(options).run().module
    try head.add(to: &module)
    let tokenizer = URL(fileURLWithPath: model).deletingLastPathComponent().appending(path: "tokenizer.json")
    try self.init(
      module,
      [
        Entry("context", "\(context)"), Entry("head", "hire"), Entry("exact", head.exactness),
        Entry("head_k", "\(head.count)"),
      ], tokenizer: try (try? Data(contentsOf: tokenizer)).map { try Tokenizer(compiling: $0) })
  }
}
