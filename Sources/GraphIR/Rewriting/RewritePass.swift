import Tensors

/// A pass made of rules.
///
/// 1. A sweep visits the nodes in execution order, and asks the rules of a node's operation one after the
///    other.
/// 2. The first patch is applied on the spot: its nodes are placed before the anchor, uses are replaced, the
///    new value takes the old one's name, and nodes that nobody needs any more go away, so that counts of
///    uses are right for what follows.
/// 3. New nodes are visited by the next sweep. Sweeps go on until one changes nothing; what that one missed
///    is reported.
public struct RewritePass: Pass {
  public let name: String
  public let summary: String
  public let fidelity: Fidelity
  private let rules: [any Rule]
  private let rulesByAnchor: [String: [Int]]

  public init(_ name: String, _ summary: String, fidelity: Fidelity, rules: [any Rule]) {
    self.name = name
    self.summary = summary
    self.fidelity = fidelity
    self.rules = rules
    var byAnchor: [String: [Int]] = [:]
    for (index, rule) in rules.enumerated() {
      for anchor in rule.anchors { byAnchor[anchor, default: []].append(index) }
    }
    rulesByAnchor = byAnchor
  }

  public var ruleNames: [String] { rules.map(\.name) }

  public func run(on module: inout Module, context: inout PassContext) throws {
    for index in module.functions.indices {
      var builder = GraphBuilder(
        module.functions[index].graph, constants: module.constants, operators: context.operators,
        symbols: context.symbols)
      // Else the first change would copy the graph.
      module.functions[index].graph = Graph()
      try rewrite(&builder, &context)
      module.functions[index].graph = builder.graph
      module.constants = builder.constants
    }
  }

  private func rewrite(_ builder: inout GraphBuilder, _ context: inout PassContext) throws {
    let largestCount = 16 * (builder.graph.order.count + 16)
    var (sweeps, patches) = (0, 0)
    while true {
      builder.graph.removeDeadNodes()
      var sweep = Sweep(builder.graph)
      let last = try run(&sweep, &builder, &context)
      guard builder.graph.sortNodes() else { throw RewriteError.circle(rule: last?.name ?? name) }
      builder.graph.removeDeadNodes()
      sweeps += 1
      patches += sweep.patchCount
      guard let last else {
        for (node, rule, reason) in sweep.misses { context.miss(builder.graph[node], reason, rule: rule) }
        return
      }
      if sweeps >= Self.largestSweepCount || patches > largestCount {
        throw RewriteError.unsettled(rule: last.name, patches: patches)
      }
    }
  }

  private static let largestSweepCount = 100

  private struct Sweep {
    var expressions: ConstantExpressions
    var misses: [(node: NodeID, rule: String, reason: String)] = []
    var patchCount = 0

    init(_ graph: Graph) { expressions = ConstantExpressions(graph) }
  }

  /// Visits every node once.
  ///
  /// - Returns: the rule that changed something last.
  private func run(
    _ sweep: inout Sweep, _ builder: inout GraphBuilder, _ context: inout PassContext
  ) throws -> (any Rule)? {
    var last: (any Rule)?
    for id in builder.graph.order where builder.graph.contains(id) {
      guard let candidates = rulesByAnchor[builder.graph[id].operation] else { continue }
      var miss: (rule: String, reason: String)?
      for rule in candidates.lazy.map({ rules[$0] }) {
        var complaint: String?
        if let patch = match(rule, id, builder, sweep, &complaint), context.patches.isOpen {
          complaint = try apply(patch, of: rule, at: id, &builder, &sweep, &context)
          if complaint == nil {
            last = rule
            miss = nil
            break
          }
        }
        if miss == nil, let complaint { miss = (rule.name, complaint) }
      }
      if let miss { sweep.misses.append((id, miss.rule, miss.reason)) }
    }
    return last
  }

  private func match(
    _ rule: any Rule, _ id: NodeID, _ builder: GraphBuilder, _ sweep: Sweep, _ complaint: inout String?
  ) -> Patch? {
    let view = GraphView(builder.graph, constants: builder.constants, expressions: sweep.expressions)
    do throws(Miss) {
      return try rule.match(id, in: view)
    } catch {
      complaint = error.reason
      return nil
    }
  }

  /// - Returns: why the patch cannot be applied: what it builds has another type than what it replaces.
  private func apply(
    _ patch: Patch, of rule: any Rule, at id: NodeID, _ builder: inout GraphBuilder, _ sweep: inout Sweep,
    _ context: inout PassContext
  ) throws(RewriteError) -> String? {
    let location = builder.graph[id].location
    builder.position = id
    builder.location = location
    let firstNew = builder.graph.nodes.count
    let values: [ValueID]
    do throws(OperatorError) {
      values = try patch.build(&builder)
    } catch {
      throw .failed(rule: rule.name, location: location, cause: error)
    }
    let pairs = Array(zip(patch.replaced, values))
    for (old, new) in pairs {
      let (found, needed) = (builder.type(new), builder.type(old))
      guard UnknownDims.agree(found, needed) else { return "the replacement is \(found), need \(needed)" }
    }
    let isNew = pairs.map { _, new in
      builder.graph.producer(of: new).map { Int($0.index) >= firstNew } ?? false
    }
    let names = patch.replaced.map { builder.graph[$0].name }
    for ((old, new), isNew) in zip(pairs, isNew) {
      if isNew { builder.graph.keepKnowledge(of: old, in: new) }
      builder.graph.replaceUses(of: old, with: new)
    }
    builder.graph.removeDeadProducers(of: patch.replaced)
    for (index, (_, new)) in pairs.enumerated() where isNew[index] {
      builder.graph.rename(new, to: names[index])
    }
    for index in firstNew..<builder.graph.nodes.count {
      let new = NodeID(index)
      if builder.graph.contains(new) { sweep.expressions.add(new, of: builder.graph) }
    }
    sweep.patchCount += 1
    context.patches.append("\(rule.name): \(patch.description)", location: location)
    context.count(rule.name)
    return nil
  }
}

extension Graph {
  /// Takes over what was known of the size and content of a value into the one that replaces it.
  fileprivate mutating func keepKnowledge(of old: ValueID, in new: ValueID) {
    for (axis, dim) in self[old].type.shape.enumerated()
    where UnknownDims.contains(self[new].type.shape[axis]) {
      self[new].type.shape[axis] = dim
    }
    if self[new].content == nil { self[new].content = self[old].content }
  }
}

/// Rules that contradict their contract: our bug.
public enum RewriteError: Error, CustomStringConvertible {
  case failed(rule: String, location: String, cause: OperatorError)
  case unsettled(rule: String, patches: Int)
  case circle(rule: String)

  public var description: String {
    switch self {
    case .failed(let rule, let location, let cause): "rule '\(rule)' at node '\(location)': \(cause)"
    case .unsettled(let rule, let patches):
      "the rules do not settle: \(patches) patches and still more, the last by '\(rule)'"
    case .circle(let rule): "a patch makes values depend on themselves, the last was by '\(rule)'"
    }
  }
}
