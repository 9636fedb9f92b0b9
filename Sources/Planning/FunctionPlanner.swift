import GraphIR
import Kernels
import PlanFormat
import Tensors

/// Lowers one function.
struct FunctionPlanner {
  private let graph: Graph
  private var function: PlanFormat.Function
  private var indices: [ValueID: Int] = [:]
  private var types: [TensorType: Int] = [:]
  private var expressions: [ValueID: WeightExpressions.Reference] = [:]

  init(_ source: Module.Function) {
    graph = source.graph
    function = PlanFormat.Function(name: source.name)
    function.bounds = source.bounds
  }

  consuming func plan(_ packer: inout WeightPacker) throws(Planner.Failure) -> PlanFormat.Function {
    for id in graph.inputs { function.inputs.append(.init(name: graph[id].name, value: add(id, .external))) }
    let constants = ConstantSteps(graph, &packer.expressions)
    expressions = constants.expressions
    for id in constants.order { try addStep(graph[id], &packer) }
    for output in graph.outputs {
      guard let value = index(of: output.value, &packer) else { continue }
      function.outputs.append(.init(name: output.name, value: value))
    }
    addStates()
    markStateSteps()
    SlotAllocator(function, aliases: aliases()).place(&function)
    return function
  }

  // MARK: Values

  private mutating func add(_ id: ValueID, _ place: PlanFormat.Function.Place) -> Int {
    let value = graph[id]
    let type = types[value.type] ?? function.types.count
    if type == function.types.count {
      types[value.type] = type
      function.types.append(value.type)
    }
    let index = function.values.count
    function.values.append(.init(name: value.name, type: type, place: place))
    indices[id] = index
    return index
  }

  /// The index of a value that some step or output reads; constants are packed on first use.
  private mutating func index(of id: ValueID?, _ packer: inout WeightPacker) -> Int? {
    guard let id else { return nil }
    if let index = indices[id] { return index }
    guard let expression = expressions[id] else { return nil }
    return add(id, .weight(packer.index(of: expression, name: graph[id].name)))
  }

  // MARK: Steps

  private mutating func addStep(_ node: Node, _ packer: inout WeightPacker) throws(Planner.Failure) {
    guard let entry = KernelTable.entries[node.operation] else {
      throw Planner.Failure(message: "node '\(node.location)': there is no kernel for '\(node.operation)'")
    }
    let operands = node.operands.map { operand in index(of: operand, &packer).map { Int32($0) } ?? -1 }
    do throws(KernelError) {
      _ = try entry.prepare(node.attributes)
    } catch {
      throw Planner.Failure(message: "node '\(node.location)' (\(node.operation)): \(error.message)")
    }
    let results = node.results.map { result in result.map { Int32(add($0, .slot(-1))) } ?? -1 }
    function.steps.append(
      .init(
        kernel: node.operation, operands: operands, results: results, attributes: node.attributes,
        location: node.location, feedsState: false))
  }

  /// Values whose memory a result may share.
  private func aliases() -> [Int: Int] {
    var aliases: [Int: Int] = [:]
    for step in function.steps {
      for (position, result) in step.results.enumerated() where result >= 0 {
        let entry = KernelTable.entries[step.kernel]
        guard let operand = entry?.sharedOperand(ofResult: position, step.attributes),
          operand < step.operands.count, step.operands[operand] >= 0
        else { continue }
        aliases[Int(result)] = Int(step.operands[operand])
      }
    }
    return aliases
  }

  // MARK: States

  /// A cache is a state when an input is made longer in place and the result is an output.
  private mutating func addStates() {
    let inputs = Set(function.inputs.map(\.value))
    let outputs = Set(function.outputs.map(\.value))
    for step in function.steps {
      for update in KernelTable.entries[step.kernel]?.updates(step.attributes) ?? [] {
        guard update.operand < step.operands.count, update.result < step.results.count else { continue }
        let (past, present) = (Int(step.operands[update.operand]), Int(step.results[update.result]))
        guard inputs.contains(past), outputs.contains(present) else { continue }
        function.states.append(.init(input: past, output: present, axis: update.axis))
      }
    }
  }

  private mutating func markStateSteps() {
    var needed = Set(function.states.map { Int32($0.output) })
    for index in function.steps.indices.reversed() {
      guard function.steps[index].results.contains(where: { needed.contains($0) }) else { continue }
      function.steps[index].feedsState = true
      needed.formUnion(function.steps[index].operands.filter { $0 >= 0 })
    }
  }
}
