import GraphIR
import Tensors

/// Gives the neurons of a feed-forward block another order, folded into its weights:
///
///     %y = feed_forward(%x, @up, @down, @gate)      ──►
///     %y = feed_forward(%x, gather(@up, @order), gather(@down, @order) {axis = 1}, gather(@gate, @order))
///
/// The gathers read constants alone, so the plan holds their results. Exact by construction: every output is a sum of
/// the same products. They are added up in the new order, 32 neighbours at a time and then these sums, and blocks of 32
/// columns of down that hold other neurons are rounded anew, so last bits differ.
struct NeuronReordering {
  /// The neuron at each place.
  let order: [Int]

  /// A graph in which a dense block has its neurons in this order.
  ///
  /// - Parameter name: that of the order among the constants.
  func replacing(
    _ id: NodeID, of graph: Graph, _ name: String, _ constants: [String: Tensor], _ context: PassContext
  ) throws(Miss) -> Graph {
    let node = graph[id]
    var builder = GraphBuilder(
      graph, constants: constants, operators: context.operators, symbols: context.symbols)
    builder.position = id
    builder.location = node.location
    let places = builder.graph.addConstant(name, TensorType(.i64, [Dim(order.count)]), content: nil)
    do throws(OperatorError) {
      var operands = node.operands
      // Rows of up and gate and their biases; columns of down.
      for (index, axis) in [(1, 0), (2, 1), (3, 0), (4, 0), (6, 0)] where index < operands.count {
        operands[index] = try operands[index].map { value throws(OperatorError) in
          try gather(value, places, axis, &builder)
        }
      }
      let result = try builder.add(
        node.operation, operands, node.attributes, names: [builder.graph[node.results[0]!].name])[0]!
      builder.graph.replaceUses(of: node.results[0]!, with: result)
    } catch {
      throw Miss("\(error)")
    }
    builder.graph.removeDeadNodes()
    return builder.graph
  }

  /// Rows or columns of weights in the new order, packed after that where they are packed.
  private func gather(
    _ value: ValueID, _ places: ValueID, _ axis: Int, _ builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    guard let producer = builder.graph.producer(of: value), builder.graph[producer].operation == "pack_blocks"
    else { return try builder("gather", value, places, attributes: ["axis": .int(axis)]) }
    let pack = builder.graph[producer]
    let gathered = try builder("gather", pack.operands[0], places, attributes: ["axis": .int(axis)])
    return try builder.add("pack_blocks", [gathered], pack.attributes)[0]!
  }
}

extension NeuronBlock {
  /// The block with its neurons in another order.
  func reordered(_ order: [Int]) -> NeuronBlock {
    var block = self
    block.up = Self.rows(up, order)
    block.gate = gate.map { Self.rows($0, order) }
    block.down = Self.columns(down, order)
    block.bias = bias.map { bias in
      let numbers = bias.array(of: Float.self)
      return Tensor(f32: order.map { numbers[$0] }, [order.count])
    }
    return block
  }

  /// Some rows of a matrix.
  static func rows(_ matrix: Tensor, _ order: [Int]) -> Tensor {
    let result = Tensor(.f32, [order.count, matrix.shape[1]])
    let bytes = matrix.shape[1] * 4
    for (place, row) in order.enumerated() {
      (result.base + place * bytes).copyMemory(from: matrix.base + row * bytes, byteCount: bytes)
    }
    return withExtendedLifetime(matrix) { result }
  }

  private static func columns(_ matrix: Tensor, _ order: [Int], every step: Int = 1) -> Tensor {
    let (rows, columns) = ((matrix.shape[0] + step - 1) / step, matrix.shape[1])
    let result = Tensor(.f32, [rows, columns])
    let (source, target) = (
      matrix.base.assumingMemoryBound(to: Float.self), result.base.assumingMemoryBound(to: Float.self)
    )
    for row in 0..<rows {
      for (place, column) in order.enumerated() {
        target[row * columns + place] = source[row * step * columns + column]
      }
    }
    return withExtendedLifetime(matrix) { result }
  }

  /// Why neurons must stay as they lie; nil where nothing speaks against another order.
  ///
  /// Weights of down that were quantized before they were exported lie on a grid of 32 neighbours, which other
  /// neighbours do not have.
  func reasonToKeepOrder(_ order: [Int]) -> String? {
    let step = max(1, outputs / Self.roundedRows)
    let (own, other) = (
      roundingError(Self.columns(down, Array(0..<neurons), every: step)),
      roundingError(Self.columns(down, order, every: step))
    )
    return other > Self.mostError * own + 1e-6
      ? "down lies on a grid of \(downFormat), which neurons in another order have not" : nil
  }

  /// Rows of down that rounding is tried on, and how much worse it may be.
  private static let roundedRows = 64, mostError = 1.1

  /// What is lost when rows are stored as columns of down are, as a share of their size.
  private func roundingError(_ rows: Tensor) -> Double {
    let (format, count) = (columns.format, rows.shape[1])
    let numbers = rows.base.assumingMemoryBound(to: Float.self)
    var (error, size) = (0.0, 0.0)
    withUnsafeTemporaryAllocation(byteCount: format.rowBytes(count), alignment: TensorStorage.alignment) {
      bytes in
      var rounded = [Float](repeating: 0, count: count)
      for row in 0..<rows.shape[0] {
        format.encode(numbers + row * count, columns: count, into: bytes.baseAddress!)
        rounded.withUnsafeMutableBufferPointer {
          format.decode(bytes.baseAddress!, columns: count, into: $0.baseAddress!)
        }
        for index in 0..<count {
          let number = Double(numbers[row * count + index])
          error += (number - Double(rounded[index])) * (number - Double(rounded[index]))
          size += number * number
        }
      }
    }
    return size > 0 ? (error / size).squareRoot() : 0
  }
}
