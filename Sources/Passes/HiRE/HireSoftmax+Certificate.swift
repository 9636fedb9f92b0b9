import GraphIR
import Kernels
import Operators
import Tensors

/// Bounds that prove tokens, by themselves or in the place of the dense head.
extension HireSoftmax {
  /// Bounds from what costs least, nil where they are not wanted.
  func certify(
    _ site: HeadSite, _ head: Node, _ weights: Tensor, _ format: BlockFormat, _ bias: Tensor?,
    _ states: HiddenStates,
    _ cost: HeadCost, _ pool: ThreadPool, _ context: inout PassContext
  ) throws(Miss) -> HeadCertificate? {
    if options.bounds == .none { return nil }
    if options.bounds == .cheaper, (try? HeadCertificate.sources(for: format)) == nil { return nil }
    let (chosen, trials) = try HeadCertificate.cheapest(
      head.attributes, weights, format, bias: bias, k: options.k, states: states, cost: cost, pool: pool)
    func line(_ trial: HeadCertificate.Trial) -> String {
      "\(trial.source): \(Self.megabytes(trial.bytes)), \(Self.megabytes(trial.addedBytes)) more in the plan,"
        + " \(Int(trial.nanoseconds / 1000)) us, rows that may reach the largest logit"
        + " \(Self.spread(trial.topCounts)), the one of rank \(options.k) \(Self.spread(trial.kCounts)),"
        + " too many in \(Self.percent(trial.overflow))"
    }
    context.explain(
      ["what bounds are read from (dense head: \(Int(cost.dense / 1000)) us by the cost model)"]
        + trials.map { "  " + line($0) })
    let trial = chosen.trial
    if options.bounds == .cheaper, trial.nanoseconds >= cost.dense { return nil }
    context.note(
      "HiRE bounds: \(trial.source), \(Self.megabytes(trial.bytes)), \(Self.megabytes(trial.addedBytes)) more in"
        + " the plan; of the rows that it leaves for the largest logit the median is"
        + " \(Self.median(trial.topCounts)), for that of rank \(options.k) \(Self.median(trial.kCounts))"
        + (trial.nanoseconds < cost.dense ? "" : "; by the cost model slower than the dense head"))
    return chosen
  }

  private static func median(_ ascending: [Int]) -> Int {
    ascending.isEmpty ? 0 : ascending[ascending.count / 2]
  }

  private static func spread(_ ascending: [Int]) -> String {
    "\(median(ascending)) (p95 \(ascending.isEmpty ? 0 : ascending[ascending.count * 95 / 100]))"
  }

  /// A function that lists what bounds leave of hidden states.
  ///
  /// - Parameters:
  ///   - function: one for as many tokens.
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
    let symbols = Set(type.shape.flatMap(\.symbols))
    return Module.Function(
      isShifted ? "certify_shifted" : "certify", graph,
      bounds: function.bounds.filter { symbols.contains($0.key) })
  }
}

extension HeadCertificate {
  var constants: [String: Tensor] {
    let constants = [
      "hire.bound": tensors.weight, "hire.bound_error": tensors.error, "hire.bound_slack": tensors.slack,
      "hire.metric": metric,
    ]
    return constants.compactMapValues { $0 }
  }
}

extension HeadCertificate.Source: CustomStringConvertible {
  var description: String {
    switch self {
    case .copy(let format): "a copy of the head in \(format)"
    case .plane(let format): "the high nibbles of the head in \(format)"
    }
  }
}

extension Module {
  /// Stores the head of a decoder in another format of the same numbers, and whatever else reads its matrix with it.
  mutating func storeHead(_ logits: String, in format: BlockFormat) {
    for index in functions.indices {
      var graph = functions[index].graph
      guard let site = try? HeadSite(graph, logits: logits), let pack = graph.producer(of: site.weight),
        graph[pack].operation == "pack_blocks"
      else { continue }
      graph[pack].attributes["format"] = .string(format.rawValue)
      for id in graph.users(of: site.weight) {
        for (operand, attribute) in OperatorSet.weightFormats(of: graph[id].operation)
        where operand < graph[id].operands.count && graph[id].operands[operand] == site.weight {
          graph[id].attributes[attribute] = .string(format.rawValue)
        }
      }
      functions[index].graph = graph
    }
  }
}
