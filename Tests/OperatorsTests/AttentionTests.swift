import Tensors
import Testing

@Suite struct AttentionTests {
  /// Row `i` of a block equals the same row computed alone, bit for bit.
  @Test func rowsOfABlockEqualRowsOneByOne() throws {
    let (q, k, v) = (ramp(1, 2, 20, 8), ramp(1, 1, 20, 8, offset: 0), ramp(1, 1, 20, 8, offset: -2))
    let block = try evaluate([q, k, v], ["is_causal": .int(1)])
    for row in 0..<20 {
      let one = try evaluate(
        [
          q.positions(row..<row + 1, axis: 2), k.positions(0..<row + 1, axis: 2),
          v.positions(0..<row + 1, axis: 2),
        ],
        ["is_causal": .int(1), "queries_at_end": .int(1)])
      #expect(one.array(of: Float.self) == block.positions(row..<row + 1, axis: 2).array(of: Float.self))
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
    let sample = Sample("attention", operands, attributes, results: 3)
    let (direct, joined) = (try sample.evaluate(), try #require(try sample.evaluateDecomposition()))
    for index in 0..<3 {
      #expect(joined[index]?.array(of: Float.self) == direct[index]?.array(of: Float.self))
    }
  }

  private func evaluate(_ operands: [Tensor?], _ attributes: [String: AttributeValue]) throws -> Tensor {
    try #require(try Sample("attention", operands, attributes).evaluate()[0])
  }
}
