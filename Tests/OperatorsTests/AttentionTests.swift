import GraphIR
import Operators
import Tensors
import Testing

@Suite struct AttentionTests {
  /// Row `i` of a block equals the same row computed alone, bit for bit.
  @Test func rowsOfABlockEqualRowsOneByOne() throws {
    let (q, k, v) = (ramp(1, 2, 20, 8), ramp(1, 1, 20, 8, offset: 0), ramp(1, 1, 20, 8, offset: -2))
    let block = try evaluate([q, k, v], ["is_causal": .int(1)])
    for row in 0..<20 {
      let one = try evaluate(
        [rows(q, row..<row + 1), rows(k, 0..<row + 1), rows(v, 0..<row + 1)],
        ["is_causal": .int(1), "queries_at_end": .int(1)])
      #expect(one.array(of: Float.self) == rows(block, row..<row + 1).array(of: Float.self))
    }
  }

  @Test func aRowWithoutAllowedKeysIsZero() throws {
    let mask = Tensor(bool: [true, true, false, false], [2, 2])
    let y = try evaluate([ramp(1, 1, 2, 4), ramp(1, 1, 2, 4), ramp(1, 1, 2, 4), mask], [:])
    #expect(y.array(of: Float.self)[4...].allSatisfy { $0 == 0 })
  }

  /// The rewrite that joins the cache outside of the node computes the same.
  @Test(arguments: [0, 1])
  func joiningThePastOutsideChangesNothing(_ isFlat: Int) throws {
    let shapes: [[Int]] = isFlat == 1 ? [[1, 3, 32], [1, 3, 16]] : [[1, 4, 3, 8], [1, 2, 3, 8]]
    let new = [
      ramp(96).reshaped(shapes[0]), ramp(48).reshaped(shapes[1]), ramp(48, offset: 0).reshaped(shapes[1]),
    ]
    let operands: [Tensor?] = new + [nil, ramp(1, 2, 5, 8), ramp(1, 2, 5, 8, offset: 1)]
    var attributes: [String: AttributeValue] = ["is_causal": .int(1), "left_window_size": .int(4)]
    if isFlat == 1 { attributes.merge(["q_num_heads": .int(4), "kv_num_heads": .int(2)]) { $1 } }
    let direct = try Sample("attention", operands, attributes, results: 3).evaluate()
    var builder = GraphBuilder(Graph(), constants: [:], operators: .standard, symbols: SymbolSource())
    var inputs: [String: Tensor] = [:]
    let ids = operands.enumerated().map { index, operand in
      operand.map { operand in
        inputs["operand\(index)"] = operand
        return builder.graph.addInput("operand\(index)", operand.type)
      }
    }
    let node = Node(
      "attention", operands: ids, results: (0..<3).map { ValueID($0) }, attributes: Attributes(attributes))
    let results = try #require(try OperatorSet.standard["attention"]?.decompose(node, into: &builder))
    for (index, result) in results.enumerated() { builder.graph.outputs.append(("\(index)", result!)) }
    let module = Module(functions: [.init("main", builder.graph)], constants: builder.constants)
    let outputs = try Interpreter(module).run(module.main, inputs: inputs)
    for index in 0..<3 {
      #expect(outputs["\(index)"]?.array(of: Float.self) == direct[index]?.array(of: Float.self))
    }
  }

  private func evaluate(_ operands: [Tensor?], _ attributes: [String: AttributeValue]) throws -> Tensor {
    try #require(try Sample("attention", operands, attributes).evaluate()[0])
  }

  /// Positions of axis 2.
  private func rows(_ x: Tensor, _ range: Range<Int>) -> Tensor {
    let (heads, count, size) = (x.shape[1], x.shape[2], x.shape[3])
    let values = x.array(of: Float.self)
    let kept = (0..<heads).flatMap { head in
      values[((head * count + range.lowerBound) * size)..<((head * count + range.upperBound) * size)]
    }
    return Tensor(f32: kept, [1, heads, range.count, size])
  }
}
