public import GraphIR
import Passes
import Tensors

extension ConversionOptions {
  /// A pass and the name of its stage: that of the pass, with a number behind it where the pass ran before.
  public struct Stage: Sendable {
    public let name: String
    public let pass: any Pass
  }

  /// The value of ``printAfter`` that stands for every pass that changes something.
  public static let printChanged = "changed"

  /// The passes of the pipeline, those included that are left out.
  private func allStages() throws(CompilerError) -> [Stage] {
    let sparse: [any Pass] =
      (feedForward == .hire ? [hireFeedForward] : []) + (head == .hire ? [hireSoftmax] : [])
    var pipeline = Pipeline.standard(
      weights.policy, caches: kvCache == .f16 ? [NarrowCaches()] : [], sparse: sparse)
    if let passes {
      do throws(PipelineError) {
        let available = Pipeline.standard(
          weights.policy, caches: [NarrowCaches()], sparse: [hireFeedForward, hireSoftmax])
        pipeline = try PassPipeline(parsing: passes, available: available.passes)
      } catch {
        guard case .unknownPass(let name, _) = error else { preconditionFailure("parsing runs no pass") }
        throw .unknownPass(name, accepted: Pipeline.passNames)
      }
    }
    var counts: [String: Int] = [:]
    return pipeline.passes.map { pass in
      counts[pass.name, default: 0] += 1
      let count = counts[pass.name]!
      return Stage(name: count == 1 ? pass.name : "\(pass.name).\(count)", pass: pass)
    }
  }

  private var hireSoftmax: HireSoftmax {
    var options = HireSoftmax.Options()
    (options.k, options.recall, options.comparesPredictors) = (headK, recall, comparesPredictors)
    switch exact {
    case .none: options.bounds = .none
    case .deferred: options.bounds = .cheaper
    case .certified: options.bounds = .required
    }
    return HireSoftmax(options)
  }

  private var hireFeedForward: HireFeedForward {
    var options = HireFeedForward.Options()
    (options.recall, options.keep) = (feedForwardRecall, feedForwardKeep)
    options.budget = feedForwardBudget
    return HireFeedForward(options)
  }

  /// The passes that run, in order.
  func activeStages() throws(CompilerError) -> [Stage] {
    try allStages().filter { absence(of: $0) == nil }
  }

  /// What leaves a stage out; nil where it runs.
  private func absence(of stage: Stage) -> String? {
    if disable.contains(stage.pass.name) { return "--disable leaves it out" }
    if stage.pass.fidelity > allow {
      return "its class is '\(stage.pass.fidelity)', which --allow \(allow) leaves out"
    }
    return nil
  }

  /// What leaves out the passes and stages that do not run, by their names.
  func absences() throws(CompilerError) -> [String: String] {
    let stages = try allStages()
    var absences: [String: String] = [:]
    for name in Pipeline.passNames where !stages.contains(where: { $0.pass.name == name }) {
      let option = Pipeline.asked.first { $0.name == name }?.option
      absences[name] = passes == nil ? option.map { "\($0) asks for it" } : "--passes does not name it"
    }
    for stage in stages { absences[stage.name] = absence(of: stage) }
    guard let stopAfter else { return absences }
    let last = stages.firstIndex { $0.name == stopAfter }
    for stage in stages.dropFirst(last.map { $0 + 1 } ?? 0) where absences[stage.name] == nil {
      absences[stage.name] = "--stop-after \(stopAfter) ends before it"
    }
    return absences
  }

  /// Checks that misses of a pass, of one of its runs, or of `all` can be asked for.
  public func check(whyNot name: String?) throws(CompilerError) {
    let names = try Pipeline.passNames + allStages().map(\.name).filter { !Pipeline.passNames.contains($0) }
    guard let name, name != "all", !names.contains(name) else { return }
    throw .unknownPass(name, accepted: ["all"] + names)
  }

  /// Checks everything that can be told before a file is read.
  public func check() throws(CompilerError) {
    let stages = try allStages()
    for name in disable where !Pipeline.passNames.contains(name) {
      throw .unknownPass(name, accepted: Pipeline.passNames)
    }
    try checkRuns(stopAfter, "--stop-after", stages)
    if printAfter != Self.printChanged { try checkRuns(printAfter, "--print-after", stages) }
    let names = ["import"] + stages.map(\.name)
    if let stopAfter, let printAfter, let last = names.firstIndex(of: stopAfter),
      let printed = names.firstIndex(of: printAfter), printed > last
    {
      throw .usage("--print-after is '\(printAfter)', which --stop-after \(stopAfter) does not reach")
    }
    if let context = maxContext, !Self.contexts.contains(context) { throw .context(context) }
    if headK < 1 || headK > Self.largestHeadK {
      throw .usage("--head-k is \(headK), accepted are 1...\(Self.largestHeadK)")
    }
    try checkShare(recall, "--recall")
    try checkShare(feedForwardRecall, "--ffn-recall")
    if let keep = feedForwardKeep { try checkShare(keep, "--ffn-keep") }
    if let budget = feedForwardBudget {
      guard budget > 0, budget < .infinity else {
        throw .usage("--ffn-budget is kl=\(budget), accepted is kl= and more than 0 nats")
      }
      if feedForwardKeep != nil { throw .usage("--ffn-budget and --ffn-keep cannot be used together") }
    }
    if feedForward == .dense, feedForwardBudget ?? feedForwardKeep != nil {
      throw .usage("--ffn-\(feedForwardKeep == nil ? "budget" : "keep") needs --ffn hire")
    }
    try checkExactness()
    if let limit = patchLimit, limit < 0 { throw .patchLimit(limit) }
    try checkAsked(stages)
  }

  /// What holds of a text needs the head that it is about.
  private func checkExactness() throws(CompilerError) {
    // A stage may have a HiRE head already, and a pipeline may name its pass.
    if head == .dense, exact != .none, passes == nil, !model.hasSuffix(".ir") {
      throw .usage("--exact is '\(exact)', which is for --head hire; the dense head misses nothing")
    }
    if derivesDrafter, head == .hire, exact != .deferred {
      throw .usage(
        "--exact is '\(exact)', with --tandem derived accepted is deferred, which verifies what its drafters write"
          + " together, or --head dense")
    }
  }

  /// What an option asks for must be allowed.
  private func checkAsked(_ stages: [Stage]) throws(CompilerError) {
    var asked = Pipeline.asked
    if weights != .auto, weights != .f32 { asked.append((QuantizeWeights().name, "--weights \(weights)")) }
    for stage in stages where stage.pass.fidelity > allow {
      guard let option = asked.first(where: { $0.name == stage.pass.name })?.option, passes == nil else {
        continue
      }
      throw .usage(
        "\(option) needs the pass '\(stage.name)', whose class is '\(stage.pass.fidelity)', which --allow \(allow)"
          + " leaves out" + (stage.pass is HireFeedForward ? "; with --ffn-recall 1 it is 'rounding'" : ""))
    }
  }

  private func checkShare(_ share: Double, _ option: String) throws(CompilerError) {
    if !(share > 0 && share <= 1) {
      throw .usage("\(option) is \(share), accepted is more than 0 and at most 1")
    }
  }

  private static let largestHeadK = 1024
  /// Lengths that a context may have: tables of positions are made for all of it.
  static let contexts = 1...(1 << 22)

  /// A stage that is left out is never reached.
  private func checkRuns(_ name: String?, _ option: String, _ stages: [Stage]) throws(CompilerError) {
    guard let name, name != "import" else { return }
    guard let stage = stages.first(where: { $0.name == name }) else {
      throw .unknownStage(name, accepted: ["import"] + stages.map(\.name))
    }
    if let reason = absence(of: stage) {
      throw .usage("\(option) is '\(name)', which does not run: \(reason)")
    }
  }
}
