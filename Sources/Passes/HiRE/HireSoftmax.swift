public import GraphIR
import Kernels
import Operators
import Tensors

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Gives a decoder a head that finds the likeliest tokens without reading all rows (HiRE-Softmax; HiRE, section 3).
///
///     @decode:  %logits = lm_head(%h, @w)      ──►    @decode as it was, and
///     @decode_hire:  %candidate_logits, %candidate_ids, %log_normalizer
///                      = hire_lm_head(%h, @w, @projection, @scan, @row_ids, @rows) {survivors = ..., candidates = ...}
///     @block_hire:   the same for up to 16 tokens
///     @head:         %logits = lm_head(%hidden, @w), the dense head alone
///
/// Asked to, it adds functions that list what bounds of all logits leave of up to 16 tokens, for proofs
/// (``HeadCertificate``):
///
///     @certify:           %survivor_logits, %survivor_ids, %survivor_count = certify_rows(%hidden, %threshold, %w, ...)
///     @certify_shifted:   the same with a %shift of every token
///
/// and, where bounds are read from the high nibbles of a head of 8 bits, stores it in nested planes in all functions.
///
/// Stages, ranks, bits and quotas are searched for the least cost that meets the recall on hidden states that were held
/// out; the basis is fitted to the others (see ``HeadBasis``). Where the least cost is not below that of the dense head,
/// or the head is read by anybody, everything stays as it was.
public struct HireSoftmax: CalibratedPass {
  public struct Options: Sendable, Equatable {
    /// Tokens whose recall counts.
    public var k = 64
    /// The share of them that must be among the candidates.
    public var recall = 0.999
    /// Whether the details tell what other kinds of predictors would find (``PredictorComparison``).
    public var comparesPredictors = false
    /// Whether bounds are added that prove candidates right.
    public var bounds = Bounds.none

    public init() {}
  }

  public enum Bounds: Sendable, Equatable {
    case none
    /// Where they cost less than the dense head.
    case cheaper
    case required
  }

  public let name = "hire-softmax"
  public let summary = "Finds the likeliest tokens by a predictor and computes only their logits exactly."
  public let fidelity = Fidelity.statistical
  let options: Options
  private let states: HiddenStates?
  private let threadCount: Int

  /// - Parameters:
  ///   - states: what the predictor is fitted to and judged by.
  ///   - threadCount: threads for the search.
  public init(_ options: Options = Options(), states: HiddenStates? = nil, threadCount: Int = 1) {
    (self.options, self.states, self.threadCount) = (options, states, threadCount)
  }

  public let calibratedCount = 16384

  /// What the head reads.
  public func taps(_ graph: Graph) throws(Miss) -> [ValueID] { [try HeadSite(graph).hidden] }

  public func calibrated(by states: [HiddenStates], threadCount: Int) -> any Pass {
    HireSoftmax(options, states: states.first, threadCount: threadCount)
  }

  /// Hidden states that the predictor is judged by.
  private static let judgedCount = 512
  /// Options that are listed.
  private static let listedCount = 8

  public func run(on module: inout Module, context: inout PassContext) throws {
    let main = module.main
    do throws(Miss) {
      let site = try HeadSite(main.graph)
      let choice = try choose(site, main.graph, module.constants, &context)
      try rewrite(&module, site, choice, &context)
      context.count("heads")
    } catch {
      context.miss(Node("func", operands: [], results: [], location: "@\(main.name)"), error.reason)
    }
  }

  // MARK: Choosing

  private struct Choice {
    let form: HireForm
    let predictor: HirePredictor
    let measured: HireMeasurement
    let certificate: HeadCertificate?
  }

  private func choose(
    _ site: HeadSite, _ graph: Graph, _ constants: [String: Tensor], _ context: inout PassContext
  ) throws(Miss) -> Choice {
    guard let states else { throw Miss("there are no hidden states to find a predictor with") }
    let numbers = WeightNumbers(graph: graph, constants: constants, operators: context.operators)
    let (weights, format) = try numbers.matrix(site.weight)
    if options.bounds == .required { _ = try HeadCertificate.sources(for: format) }
    let (vocabulary, width) = (weights.shape[0], weights.shape[1])
    guard states.width == width else {
      throw Miss("hidden states have \(states.width) numbers, the head reads \(width)")
    }
    let pool = ThreadPool(threadCount: threadCount)
    let basis = try HeadBasis(states: states.rows, rows: states.fittedCount, weights: weights, pool: pool)
    let judged = states.heldOut(Self.judgedCount)
    let head = graph[site.node]
    let bias = try site.bias.map { value throws(Miss) in try numbers.tensor(value) }
    if options.comparesPredictors {
      context.explain(
        try PredictorComparison(weights: weights, bias: bias, fitted: basis, judged: judged, pool: pool)
          .table())
    }
    let ranks = PredictorRanks(judged, weights, bias: bias, k: options.k, basis: basis, pool: pool)
    let cost = HeadCost(vocabulary: vocabulary, width: width, format: format)
    let plane = options.comparesPredictors ? FormComparison.ranks(judged, weights, bias, ranks.k, pool) : nil
    let (all, best) = HeadSearch(cost: cost, target: options.recall).options(ranks, plane: plane) { _ in }
    let found = all.filter { !$0.form.readsPlane }
    context.explain(Self.table(found, cost, options))
    guard let cheapest = found.first else {
      let text = best.map { "the best reaches \(Self.percent($0.recall)) +- \(Self.percent($0.interval))" }
      throw Miss(
        "no predictor finds \(Self.percent(options.recall)) of the top \(options.k): \(text ?? "none fits")")
    }
    guard cheapest.nanoseconds < cost.dense else {
      throw Miss(
        "it would not pay: \(Int(cheapest.nanoseconds / 1000)) us per token, the dense head takes"
          + " \(Int(cost.dense / 1000)) us")
    }
    let predictor = HirePredictor(cheapest.form, basis, weights: weights, pool: pool)
    let measured = try HireMeasurement(
      predictor, Self.attributes(cheapest.form, head.attributes), weights: weights, bias: bias,
      format: format, judged, ranks, pool)
    let recallInterval = 1.96 * measured.recall.standardError
    context.note(
      "HiRE head: \(Self.megabytes(cheapest.bytes)) of \(Self.megabytes(cost.vocabulary * cost.rowBytes)), finds"
        + " \(Self.percent(measured.recall.mean)) +- \(Self.percent(recallInterval)) of the top \(ranks.k),"
        + " \(Self.percent(measured.topRecall.mean)) of the top 1")
    context.explain([
      "chosen is the first; run on \(judged.shape[0]) held-out states of \(states.origin) it finds"
        + " \(Self.percent(measured.recall.mean)) +- \(Self.percent(recallInterval)); KL from the dense head is"
        + " \(Self.rounded(measured.divergence))"
    ])
    context.measure(
      wanted: "recall of the top \(options.k) >= \(options.recall)",
      measured: "\(Self.rounded(measured.recall.mean)) +- \(Self.rounded(recallInterval)), top 1"
        + " \(Self.rounded(measured.topRecall.mean)), KL \(Self.rounded(measured.divergence))")
    if options.comparesPredictors {
      let others = [
        all.first { $0.form.scan.coding == .plane }, all.first { $0.form.rows?.coding == .plane },
      ]
      context.explain(
        try FormComparison(
          predictor, Self.attributes(cheapest.form, head.attributes), basis, weights: weights, bias: bias,
          judged, ranks, pool
        ).table(cheapest, others.compactMap { $0 }))
    }
    let certificate = try certify(site, head, weights, format, bias, states, cost, pool, &context)
    return Choice(form: cheapest.form, predictor: predictor, measured: measured, certificate: certificate)
  }

  // MARK: Words

  static func rounded(_ value: Double) -> Double { (value * 100_000).rounded() / 100_000 }

  static func percent(_ share: Double) -> String { "\((share * 100_000).rounded() / 1000) %" }

  private static func describe(_ option: HeadSearch.Option) -> String {
    let form = option.form
    guard case .scan(let bits) = form.scan.coding else { return "" }
    let second =
      form.rows.map { " -> \(form.survivors) per shard -> rank \($0.rank) of \(form.rowsFormat!)" } ?? ""
    return
      "rank \(form.scan.rank) of \(bits) bits\(second) -> \(form.candidates) per shard of \(form.shardRows)"
  }

  private static func table(_ options: [HeadSearch.Option], _ cost: HeadCost, _ wanted: Options) -> [String] {
    let header =
      "forms of the head that find \(percent(wanted.recall)) of the top \(wanted.k) on held-out states"
      + " (dense: \(megabytes(cost.vocabulary * cost.rowBytes)), \(Int(cost.dense / 1000)) us by the cost model)"
    return [header]
      + options.prefix(listedCount).map { option in
        "  \(describe(option)): \(megabytes(option.bytes)), \(Int(option.nanoseconds / 1000)) us, recall"
          + " \(percent(option.recall)) +- \(percent(option.interval)), top 1 \(percent(option.topRecall))"
      }
  }

  static func megabytes(_ bytes: Int) -> String { "\((Double(bytes) / 1e5).rounded() / 10) MB" }

  // MARK: Rewriting

  static func attributes(_ form: HireForm, _ head: Attributes) -> Attributes {
    guard case .scan(let bits) = form.scan.coding else { preconditionFailure("the first stage is a scan") }
    var attributes = head
    attributes["scan_rank"] = .int(form.scan.rank)
    attributes["scan_bits"] = .int(bits)
    attributes["shard_rows"] = .int(form.shardRows)
    attributes["survivors"] = .int(form.survivors)
    attributes["candidates"] = .int(form.candidates)
    if let format = form.rowsFormat { attributes["rows_format"] = .string(format.rawValue) }
    return attributes
  }

  private func rewrite(
    _ module: inout Module, _ site: HeadSite, _ choice: Choice, _ context: inout PassContext
  )
    throws(Miss)
  {
    let added: [String: Tensor?] = [
      "hire.projection": choice.predictor.projection, "hire.scan": choice.predictor.scan,
      "hire.row_ids": choice.predictor.rowIDs, "hire.rows": choice.predictor.rows,
    ]
    for (name, tensor) in added { module.constants[name] = tensor }
    if let certificate = choice.certificate {
      for (name, tensor) in certificate.constants { module.constants[name] = tensor }
    }
    if let format = choice.certificate?.headFormat { module.storeHead(site.logits, in: format) }
    let attributes = Self.attributes(choice.form, module.main.graph[site.node].attributes)
      .with(choice.measured.tail)
    for name in ["decode", "block"] {
      guard let function = module.functions.first(where: { $0.name == name }) else {
        throw Miss("there is no function '\(name)', which specialize-phases makes")
      }
      do {
        module.functions.append(try sparse(function, site.logits, attributes, module, context))
        guard name == "block" else { continue }
        module.functions.append(try head(function, site.logits, module, context))
        if let certificate = choice.certificate {
          for isShifted in [false, true] {
            module.functions.append(
              try Self.certifier(
                function, site.logits, certificate.attributes, isShifted: isShifted, module,
                context.operators,
                context.symbols))
          }
        }
      } catch {
        throw Miss("function '\(name)': \(error)")
      }
    }
    module.metadata["head"] = "hire"
    module.metadata["head_k"] = "\(options.k)"
  }

  /// A copy of a function with candidates in place of logits.
  private func sparse(
    _ function: Module.Function, _ logits: String, _ attributes: Attributes, _ module: Module,
    _ context: PassContext
  ) throws -> Module.Function {
    let site = try HeadSite(function.graph, logits: logits)
    var builder = GraphBuilder(
      function.graph, constants: module.constants, operators: context.operators, symbols: context.symbols)
    builder.position = site.node
    builder.location = function.graph[site.node].location
    func constant(_ name: String) -> ValueID? {
      module.constants[name].map { builder.graph.addConstant(name, $0.type, content: nil) }
    }
    let operands = [
      site.hidden, site.weight, constant("hire.projection"), constant("hire.scan"), constant("hire.row_ids"),
      constant("hire.rows"), site.bias,
    ]
    let names = ["candidate_logits", "candidate_ids", "log_normalizer"]
    let results = try builder.add("hire_lm_head", operands, attributes, names: names)
    var graph = builder.graph
    graph.outputs.removeAll { $0.name == logits }
    for (name, value) in zip(names, results) { graph.outputs.append((name, value!)) }
    graph.outputs.append(("hidden", site.hidden))
    graph.removeDeadNodes()
    return Module.Function("\(function.name)_hire", graph, bounds: function.bounds)
  }

  /// The dense head alone, over as many hidden states as the function takes tokens.
  private func head(
    _ function: Module.Function, _ logits: String, _ module: Module, _ context: PassContext
  ) throws -> Module.Function {
    let site = try HeadSite(function.graph, logits: logits)
    var graph = function.graph
    let type = graph[site.hidden].type
    let hidden = graph.addInput("hidden", type)
    let node = graph[site.node]
    graph[site.node].operands[0] = hidden
    graph.outputs = [(logits, node.results[0]!)]
    graph.removeDeadNodes()
    for input in graph.inputs where input != hidden { graph.removeInput(input) }
    let symbols = Set(type.shape.flatMap(\.symbols))
    return Module.Function("head", graph, bounds: function.bounds.filter { symbols.contains($0.key) })
  }
}
