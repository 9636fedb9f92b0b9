import GraphIR
import Kernels
import Tensors

/// A feed-forward block's form with chosen neurons: constants and attributes, and how it takes the dense one's place.
struct NeuronRewrite {
  private let prefix: String
  /// In the order of operands: down, scan, projection, the importance of gates and of neurons, and bounds.
  let constants: [(name: String, tensor: Tensor?)]
  private let attributes: [String: AttributeValue]

  /// - Parameters:
  ///   - block: with its neurons in the order of the choice.
  ///   - states: what the block reads; choices that weigh neurons need them.
  ///   - index: the number of the block, for the names of constants.
  init(
    _ block: NeuronBlock, _ choice: NeuronChoice, _ basis: HeadBasis?, _ states: HiddenStates?, index: Int,
    _ pool: ThreadPool
  ) {
    let predictor = choice.scan.map { NeuronPredictor(choice, $0, of: block, basis: basis, pool: pool) }
    let importance = choice.isWeighed ? states.map { block.importance($0, pool) } : nil
    let bounds = choice.boundFormat.map {
      NeuronBounds.tensors(block, HireMeasurement.packed(block.first, block.firstFormat, pool), $0, pool)
    }
    self.init(
      block, choice, index: index, down: block.downColumns(pool), predictor: predictor,
      importance: importance,
      bounds: bounds)
  }

  /// With tensors that other choices of the block share.
  init(
    _ block: NeuronBlock, _ choice: NeuronChoice, index: Int, down: Tensor, predictor: NeuronPredictor? = nil,
    importance: (gate: Tensor, neuron: Tensor)? = nil, bounds: RowBoundTensors? = nil
  ) {
    prefix = "hire.ffn.\(index)"
    let form = choice.scan.map { ".\($0.rank).\($0.bits)" } ?? ""
    constants = [
      ("down", down), ("scan\(form)", predictor?.scan), ("projection\(form)", predictor?.projection),
      ("gate_importance", importance?.gate), ("importance", importance?.neuron),
      ("bound", bounds?.weight), ("bound_error", bounds?.error), ("bound_slack", bounds?.slack),
    ]
    var attributes: [String: AttributeValue] = [
      "activation": .string(block.activation.rawValue), "group_size": .int(choice.groupSize),
      "candidate_groups": .int(choice.candidateGroups), "outputs": .int(block.outputs),
      "down_format": .string(block.columns.format.rawValue),
    ]
    if let active = choice.activeGroups { attributes["active_groups"] = .int(active) }
    if choice.commonGroups > 0 { attributes["common_groups"] = .int(choice.commonGroups) }
    if let scan = choice.scan {
      attributes["scan_rank"] = .int(scan.rank)
      attributes["scan_bits"] = .int(scan.bits)
      if scan.isOfGroups { attributes["scan_of"] = .string("groups") }
    }
    attributes["bound_format"] = choice.boundFormat.map { .string($0.rawValue) }
    attributes["expected_candidates"] = choice.expectedCandidates.map { .int($0) }
    attributes["expected_active"] = choice.expectedActive.map { .int($0) }
    if let cutoff = block.cutoff { attributes["cutoff"] = .float(cutoff.deviations) }
    if block.upFormat != .f32 { attributes["up_format"] = .string(block.upFormat.rawValue) }
    if block.gateFormat != .f32 { attributes["gate_format"] = .string(block.gateFormat.rawValue) }
    self.attributes = attributes
  }

  /// Adds the constants to a module.
  func addConstants(to constants: inout [String: Tensor]) {
    for (name, tensor) in self.constants { constants["\(prefix).\(name)"] = tensor }
  }

  /// A graph with this form in the place of a dense block.
  ///
  /// - Parameter constants: those of the module, with those of this form.
  func replacing(
    _ id: NodeID, of graph: Graph, _ constants: [String: Tensor], _ context: PassContext
  ) throws(Miss) -> Graph {
    let node = graph[id]
    func operand(_ index: Int) -> ValueID? { index < node.operands.count ? node.operands[index] : nil }
    var builder = GraphBuilder(
      graph, constants: constants, operators: context.operators, symbols: context.symbols)
    builder.position = id
    builder.location = node.location
    let added = self.constants.map { name, _ in
      let name = "\(prefix).\(name)"
      return constants[name].map { builder.graph.addConstant(name, $0.type, content: nil) }
    }
    var operands =
      [
        operand(0), operand(1), added[0], operand(3), added[1], added[2], operand(4), operand(5), operand(6),
      ] + added[3...]
    while case .some(nil) = operands.last { operands.removeLast() }
    do throws(OperatorError) {
      let result = try builder.add(
        "hire_feed_forward", operands, Attributes(attributes),
        names: [builder.graph[node.results[0]!].name])[0]!
      builder.graph.replaceUses(of: node.results[0]!, with: result)
    } catch {
      throw Miss("\(error)")
    }
    builder.graph.removeDeadNodes()
    return builder.graph
  }
}
