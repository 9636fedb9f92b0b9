public import GraphIR
import Operators
import Tensors

/// Recognizes learned positions: whatever is added to the token embedding and depends on positions alone.
///
///     %p = add(%position_ids, 2)  %r = gather(@positions, %p)  ...
///     %t = embedding(%input_ids, @table)
///     %x = add(%t, %r)
///                                       ──►   %x = embedding(%input_ids, @table, %position_ids, @position_rows)
///
/// The rows are evaluated for all positions of the context, as far as the graph has them, and compared at positions
/// in another order. Positions that are counted from the attention mask stay as they are computed, and pick rows of
/// the exported table.
public struct RecognizePositions: Pass {
  public let name = "recognize-positions"
  public let summary = "Makes position embeddings a table that the embedding reads."
  public let fidelity = Fidelity.exact

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    let limit = DecoderSignature.context(of: module)
    for index in module.functions.indices {
      let graph = module.functions[index].graph
      guard let signature = DecoderSignature(graph) else { continue }
      let reader = PositionReader(
        graph: graph, signature: signature, provenance: Provenance.analysis(of: graph, signature),
        evaluators: ProbeEvaluators(graph, constants: module.constants, context.operators, signature),
        limit: limit)
      var builder = GraphBuilder(
        graph, constants: module.constants, operators: context.operators, symbols: context.symbols)
      for id in graph.order where context.patches.isOpen {
        do throws(Miss) {
          guard let reading = try reader.reading(at: id) else { continue }
          try write(reading, at: id, into: &builder)
          context.patches.append("\(name): a table of positions", location: graph[id].location)
          context.count("positions")
        } catch {
          context.miss(graph[id], error.reason)
        }
      }
      builder.graph.removeDeadNodes()
      module.functions[index].graph = builder.graph
      module.constants = builder.constants
    }
  }

  private func write(_ reading: PositionReader.Reading, at id: NodeID, into builder: inout GraphBuilder)
    throws(Miss)
  {
    let node = builder.graph[id]
    let result = node.results[0]!
    builder.position = id
    builder.location = node.location
    do throws(OperatorError) {
      let table: ValueID
      switch reading.table {
      case .evaluated(let tensor): table = builder.constant(tensor, name: "position_rows")
      case .exported(let value): table = value
      }
      let new = try builder.add(
        "embedding", [reading.ids, reading.tokens, reading.positions, table], reading.attributes)[0]!
      let name = builder.graph[result].name
      builder.graph.replaceUses(of: result, with: new)
      builder.graph.remove([id])
      builder.graph.rename(new, to: name)
    } catch {
      throw Miss(error.message)
    }
  }
}

/// Finds out which rows are added to a token embedding.
private struct PositionReader {
  struct Reading {
    enum Table {
      case evaluated(Tensor)
      case exported(ValueID)
    }
    let ids: ValueID
    let tokens: ValueID
    let attributes: Attributes
    let positions: ValueID
    let table: Table
  }

  let graph: Graph
  let signature: DecoderSignature
  let provenance: [Provenance]
  let evaluators: ProbeEvaluators
  let limit: Int

  func reading(at id: NodeID) throws(Miss) -> Reading? {
    let node = graph[id]
    guard node.operation == "add", node.operands.count == 2, let a = node.operands[0],
      let b = node.operands[1]
    else { return nil }
    for (tokens, rows) in [(a, b), (b, a)] {
      guard let producer = graph.producer(of: tokens), graph[producer].operation == "embedding",
        graph[producer].operands.count == 2, let ids = graph[producer].operands[0],
        let table = graph[producer].operands[1]
      else { continue }
      guard !provenance[Int(rows.index)].contains(.data) else { continue }
      guard graph.users(of: tokens).count == 1, !graph.isOutput(tokens) else {
        throw Miss("the embedding is also read without positions")
      }
      let (positions, source) = try self.table(of: rows)
      return Reading(
        ids: ids, tokens: table, attributes: graph[producer].attributes, positions: positions, table: source)
    }
    return nil
  }

  private func table(of rows: ValueID) throws(Miss) -> (positions: ValueID, Reading.Table) {
    if !provenance[Int(rows.index)].contains(.mask), let positions = signature.positions {
      return (positions, .evaluated(try evaluated(rows)))
    }
    // The exported table itself, at whatever rows the graph computes.
    guard let (table, positions) = pickedRows(rows), graph.constantName(of: table) != nil,
      graph[table].type.rank == 2, graph[positions].type.rank == 2
    else {
      let origin =
        provenance[Int(rows.index)].contains(.mask)
        ? "are counted from the mask" : "follow the caches, since there is no input of position ids"
      throw Miss("positions \(origin), and what is added are no rows of a constant")
    }
    return (positions, .exported(table))
  }

  /// The table and the indices of what picks rows.
  private func pickedRows(_ rows: ValueID) -> (table: ValueID, indices: ValueID)? {
    guard let producer = graph.producer(of: rows), graph[producer].operands.count == 2,
      let first = graph[producer].operands[0], let second = graph[producer].operands[1]
    else { return nil }
    switch graph[producer].operation {
    case "gather" where graph[producer].attributes.int("axis", default: 0) == 0: return (first, second)
    case "embedding" where graph[producer].attributes.float("scale", default: 1) == 1: return (second, first)
    default: return nil
    }
  }

  /// All rows, as far as the graph has them.
  private func evaluated(_ value: ValueID) throws(Miss) -> Tensor {
    var rows: [Float] = []
    var width = 0
    let count = PositionRows.read(limit: limit) { (start, count) throws(Miss) in
      let part = try self.rows(value, evaluators[Probe(rows: count, past: start)], count)
      width = part.count / count
      rows += part
    }
    guard count > 0 else { throw Miss("what is added to the embedding cannot be evaluated") }
    let order = [7, 2, 9, 9, 0].map { min($0, count - 1) }
    let probe = Probe(rows: order.count, past: 0)
    let expected = order.flatMap { rows[$0 * width..<($0 + 1) * width] }
    guard try self.rows(value, evaluators.moved(probe, to: order), order.count) == expected else {
      throw Miss("what is added to the embedding is not a row per position id")
    }
    return Tensor(f32: rows, [count, width])
  }

  private func rows(_ value: ValueID, _ evaluator: ConeEvaluator, _ count: Int) throws(Miss) -> [Float] {
    var evaluator = evaluator
    do throws(ConeEvaluator.Failure) {
      let tensor = try evaluator.tensor(value)
      guard tensor.element == .f32, tensor.elementCount % count == 0, tensor.shape.dropLast().contains(count)
      else { throw ConeEvaluator.Failure(description: "its extents are \(tensor.shape)") }
      return tensor.array(of: Float.self)
    } catch {
      throw Miss("what is added to the embedding cannot be evaluated: \(error)")
    }
  }
}
