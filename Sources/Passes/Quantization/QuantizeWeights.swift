import Dispatch
public import GraphIR
import Operators
public import Tensors

/// Stores matrices in blocks of few bits, which is what decoding reads for every token.
///
///     %y = linear(%x, @w)         ──►        %p = pack_blocks(@w) {format = "q5b32"}
///                                            %y = linear(%x, %p) {weight_format = "q5b32"}
///
/// Weights that were quantized before they were exported (GGUF types, MatMulNBits) lie on a grid: `automatic` finds it
/// and takes the smallest format that reproduces every block to rounding (``BlockFormat/smallest(reproducing:rows:columns:tolerance:)``).
/// Weights on no grid become q8b32, and a note says how far they are from what was exported. Products with blocks
/// quantize their activations to 8 bits, hence the fidelity.
public struct QuantizeWeights: Pass {
  public enum Policy: Sendable, Equatable {
    case automatic
    case format(BlockFormat)
  }

  public let name = "quantize-weights"
  public let summary = "Stores matrices in the smallest block format that reproduces them."
  public let fidelity = Fidelity.statistical
  private let policy: Policy

  public init(_ policy: Policy = .automatic) { self.policy = policy }

  public func run(on module: inout Module, context: inout PassContext) throws {
    if policy == .format(.f32) { return }
    var report = QuantizationReport()
    for index in module.functions.indices {
      let graph = module.functions[index].graph
      let choices = choices(in: graph, module.constants, &context)
      var builder = GraphBuilder(
        graph, constants: module.constants, operators: context.operators, symbols: context.symbols)
      try rewrite(&builder, choices, &report, &context)
      module.functions[index].graph = builder.graph
      module.constants = builder.constants
    }
    for note in report.notes { context.note(note) }
  }

  private struct Choice: Sendable {
    let format: BlockFormat
    /// Root of the mean squared error over that of the weights; 0 on a grid.
    let error: Double
  }

  // MARK: Choosing

  /// The format of every matrix of a function; several at a time, since finding grids takes a while.
  private func choices(
    in graph: Graph, _ constants: [String: Tensor], _ context: inout PassContext
  ) -> [ValueID: Choice] {
    let expressions = ConstantExpressions(graph)
    var values: [ValueID] = []
    for id in graph.order {
      for (operand, attribute) in OperatorSet.weightFormats(of: graph[id].operation) {
        guard operand < graph[id].operands.count, let value = graph[id].operands[operand],
          graph[id].attributes[attribute] == nil, !values.contains(value)
        else { continue }
        let type = graph[value].type
        if type.element != .f32 {
          context.miss(graph[id], "operand \(operand) is \(type), need f32")
        } else if !expressions.contains(value, in: graph) {
          context.miss(graph[id], "operand \(operand) is computed at run time, need a constant")
        } else {
          values.append(value)
        }
      }
    }
    let (policy, matrices, operators) = (policy, values, context.operators)
    var choices = [Choice?](repeating: nil, count: matrices.count)
    choices.withUnsafeMutableBufferPointer { choices in
      // Every iteration writes a place of its own.
      nonisolated(unsafe) let choices = choices
      DispatchQueue.concurrentPerform(iterations: matrices.count) { index in
        var evaluator = ConeEvaluator(graph, constants: constants, operators: operators, sizes: [:])
        guard let tensor = try? evaluator.tensor(matrices[index]), tensor.rank == 2 else { return }
        choices[index] = Self.choice(for: tensor, policy)
      }
    }
    let found = zip(matrices, choices).compactMap { value, choice in choice.map { (value, $0) } }
    return Dictionary(uniqueKeysWithValues: found)
  }

  private static func choice(for tensor: Tensor, _ policy: Policy) -> Choice? {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    guard rows > 0, columns > 0 else { return nil }
    return withExtendedLifetime(tensor) {
      let matrix = UnsafePointer(tensor.base.assumingMemoryBound(to: Float.self))
      switch policy {
      case .format(let format):
        return Choice(format: format, error: error(of: format, matrix, rows: rows, columns: columns))
      case .automatic:
        let format = BlockFormat.smallest(reproducing: matrix, rows: rows, columns: columns)
        if format != .f32 { return Choice(format: format, error: 0) }
        return Choice(format: .q8b32, error: error(of: .q8b32, matrix, rows: rows, columns: columns))
      }
    }
  }

  /// The relative error of a format, from at most 64 rows spread over the matrix.
  private static func error(
    of format: BlockFormat, _ matrix: UnsafePointer<Float>, rows: Int, columns: Int
  ) -> Double {
    var (difference, magnitude) = (0.0, 0.0)
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: format.rowBytes(columns), alignment: 64)
    let decoded = UnsafeMutablePointer<Float>.allocate(capacity: columns)
    defer {
      bytes.deallocate()
      decoded.deallocate()
    }
    for row in stride(from: 0, to: rows, by: max(1, rows / 64)) {
      let exact = matrix + row * columns
      format.encode(exact, columns: columns, into: bytes)
      format.decode(bytes, columns: columns, into: decoded)
      for column in 0..<columns {
        let distance = Double(decoded[column] - exact[column])
        difference += distance * distance
        magnitude += Double(exact[column]) * Double(exact[column])
      }
    }
    return magnitude > 0 ? (difference / magnitude).squareRoot() : 0
  }

  // MARK: Rewriting

  private func rewrite(
    _ builder: inout GraphBuilder, _ choices: [ValueID: Choice], _ report: inout QuantizationReport,
    _ context: inout PassContext
  ) throws {
    var packed: [ValueID: ValueID] = [:]
    for id in builder.graph.order {
      for (operand, attribute) in OperatorSet.weightFormats(of: builder.graph[id].operation) {
        guard context.patches.isOpen, operand < builder.graph[id].operands.count,
          let value = builder.graph[id].operands[operand], let choice = choices[value], choice.format != .f32
        else { continue }
        if packed[value] == nil {
          builder.position = id
          builder.location = builder.graph[id].location
          packed[value] = try builder(
            "pack_blocks", value, attributes: ["format": .string(choice.format.rawValue)])
          report.add(choice.format, builder.type(value), error: choice.error)
          context.count(choice.format.rawValue)
        }
        let columns = builder.type(value).shape[1].constant
        builder.graph[id].operands[operand] = packed[value]
        builder.graph[id].attributes[attribute] = .string(choice.format.rawValue)
        // An embedding has no activations that would tell.
        if builder.graph[id].operation == "embedding" {
          builder.graph[id].attributes["columns"] = columns.map { .int($0) }
        }
        context.patches.append("\(name): \(choice.format)", location: builder.graph[id].location)
      }
    }
  }
}

/// What a summary says of the formats.
private struct QuantizationReport {
  private var lossy: [(weights: Int, error: Double, format: BlockFormat)] = []

  mutating func add(_ format: BlockFormat, _ type: TensorType, error: Double) {
    if error > 0 { lossy.append((type.elementCount.constant ?? 0, error, format)) }
  }

  var notes: [String] {
    Dictionary(grouping: lossy, by: \.format).sorted { $0.key.rawValue < $1.key.rawValue }.map {
      format, entries in
      let total = entries.reduce(0) { $0 + $1.weights }
      let mean = (entries.reduce(0) { $0 + $1.error * $1.error * Double($1.weights) } / Double(max(total, 1)))
        .squareRoot()
      let worst = entries.map(\.error).max() ?? 0
      func percent(_ value: Double) -> String { "\((value * 10000).rounded() / 100) %" }
      return "\(entries.count) matrices lie on no grid and are \(format): relative error \(percent(mean)),"
        + " largest \(percent(worst))"
    }
  }
}
