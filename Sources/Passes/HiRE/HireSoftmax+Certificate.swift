import GraphIR
import Kernels
import Tensors

/// What `--exact certified` adds.
extension HireSoftmax {
  /// Bounds in the format that costs least.
  func certify(
    _ site: HeadSite, _ head: Node, _ weights: Tensor, _ format: BlockFormat, _ bias: Tensor?,
    _ states: HiddenStates,
    _ cost: HeadCost, _ pool: ThreadPool, _ context: inout PassContext
  ) throws(Miss) -> HeadCertificate {
    let packed = HireMeasurement.packed(weights, format, pool)
    let (chosen, trials) = try HeadCertificate.cheapest(
      head.attributes, packed, format, bias: bias, k: options.k, states: states, cost: cost, pool: pool)
    func line(_ trial: HeadCertificate.Trial) -> String {
      "\(trial.format): \(Self.megabytes(trial.bytes)), \(Int(trial.nanoseconds / 1000)) us, rows that may reach the"
        + " largest logit \(Self.spread(trial.topCounts)), the one of rank \(options.k) \(Self.spread(trial.kCounts)),"
        + " too many in \(Self.percent(trial.overflow))"
    }
    context.explain(
      ["bounds from a copy of the head (dense: \(Int(cost.dense / 1000)) us by the cost model)"]
        + trials.map { "  " + line($0) })
    let trial = chosen.trial
    context.note(
      "HiRE bounds: a copy of the head in \(trial.format), \(Self.megabytes(trial.bytes)); of the rows that it leaves"
        + " for the largest logit the median is \(Self.median(trial.topCounts)), for that of rank \(options.k)"
        + " \(Self.median(trial.kCounts))"
        + (trial.nanoseconds < cost.dense ? "" : "; by the cost model slower than the dense head"))
    return chosen
  }

  private static func median(_ ascending: [Int]) -> Int {
    ascending.isEmpty ? 0 : ascending[ascending.count / 2]
  }

  private static func spread(_ ascending: [Int]) -> String {
    "\(median(ascending)) (p95 \(ascending.isEmpty ? 0 : ascending[ascending.count * 95 / 100]))"
  }

  /// A function that lists what bounds leave of a hidden state.
  ///
  /// - Parameters:
  ///   - function: one for one token.
  ///   - attributes: those of `certify_rows`, whose constants the module has.
  static func certifier(
    _ function: Module.Function, _ logits: String, _ attributes: Attributes, isShifted: Bool,
    _ module: Module,
    _ operators: OperatorTable, _ symbols: SymbolSource
  ) throws -> Module.Function {
    let site = try HeadSite(function.graph, logits: logits)
    var builder = GraphBuilder(
      function.graph, constants: module.constants, operators: operators, symbols: symbols)
    builder.position = site.node
    builder.location = function.graph[site.node].location
    func constant(_ name: String) -> ValueID? {
      module.constants[name].map { builder.graph.addConstant(name, $0.type, content: nil) }
    }
    let type = builder.type(site.hidden)
    let lead = Array(type.shape.dropLast())
    var inputs = [
      builder.graph.addInput("hidden", type), builder.graph.addInput("threshold", TensorType(.f32, lead)),
    ]
    if isShifted {
      let vocabulary = builder.type(builder.graph[site.node].results[0]!).shape[2]
      inputs.append(builder.graph.addInput("shift", TensorType(.f32, lead + [vocabulary])))
    }
    let names = ["survivor_logits", "survivor_ids", "survivor_count"]
    let results = try builder.add(
      "certify_rows",
      [
        inputs[0], inputs[1], site.weight, constant("hire.bound"), constant("hire.bound_error"),
        constant("hire.bound_slack"), constant("hire.metric"), site.bias, isShifted ? inputs[2] : nil,
      ], attributes, names: names)
    var graph = builder.graph
    graph.outputs = zip(names, results).map { ($0, $1!) }
    graph.removeDeadNodes()
    for input in graph.inputs where !inputs.contains(input) { graph.removeInput(input) }
    return Module.Function(isShifted ? "certify_shifted" : "certify", graph, bounds: [:])
  }
}

extension HeadCertificate {
  var constants: [String: Tensor] {
    [
      "hire.bound": tensors.weight, "hire.bound_error": tensors.error, "hire.bound_slack": tensors.slack,
      "hire.metric": metric,
    ]
  }
}
