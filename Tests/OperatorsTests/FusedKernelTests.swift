import Kernels
import Tensors
import Testing

/// Kernels of fused operators over many sizes, against their decompositions.
@Suite struct FusedKernelTests {
  private static let rowCounts = [1, 2, 5, 16, 17, 40]

  /// Results of the kernel, having compared them with those of the decomposition.
  private func check(
    _ operation: String, _ operands: [Tensor?], _ attributes: [String: AttributeValue] = [:],
    results: Int = 1,
    threads: Int = 2
  ) throws -> [Tensor] {
    let run = try KernelRun(
      operation, tensors: operands, Attributes(attributes), results: results,
      threads: threads)
    let sample = Sample(operation, operands, attributes, results: results)
    let decomposed = try #require(try sample.evaluateDecomposition()).map { $0! }
    let actual = (0..<results).map { run.tensor($0) }
    for (actual, expected) in zip(actual, decomposed) {
      #expect(actual.type == expected.type)
      for (a, b) in zip(actual.doubles, expected.doubles) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
    }
    return actual
  }

  /// Checks that rows of x (operand 0) give the same bits alone as among up to sixteen, and with other
  /// threads.
  private func expectInvariance(
    _ operation: String, _ operands: [Tensor?], _ attributes: [String: AttributeValue], axis: Int,
    among whole: Tensor
  ) throws {
    let rows = operands[0]!.shape[axis]
    func run(_ x: Tensor, threads: Int) throws -> Tensor {
      let operands = [x] + operands.dropFirst()
      return try KernelRun(
        operation, tensors: operands, Attributes(attributes), results: 1,
        threads: threads
      ).tensor(0)
    }
    for threads in [1, 3, 4] { #expect(try run(operands[0]!, threads: threads).bits == whole.bits) }
    for row in 0..<rows where rows <= 16 {
      let one = try run(operands[0]!.positions(row..<row + 1, axis: axis), threads: 2)
      #expect(one.bits == whole.positions(row..<row + 1, axis: axis).bits)
    }
  }

  @Test(arguments: rowCounts, ["relu", "relu_squared", "gelu", "gelu_tanh", "silu"])
  func feedForward(_ rows: Int, _ activation: String) throws {
    let (inner, neurons, outputs) = (33, 304, 21)
    let plain: [Tensor?] = [
      noise([rows, inner], seed: 1), noise([neurons, inner], seed: 2), noise([outputs, neurons], seed: 3),
    ]
    let biases = [noise([neurons], seed: 5), noise([outputs], seed: 6), noise([neurons], seed: 7)]
    for (operands, groups) in [
      (plain, [:]), (plain + [noise([neurons, inner], seed: 4)] + biases, [:]),
      (plain + [noise([neurons, inner], seed: 4)] + biases, ["cutoff": .float(0.7)]),
      (plain + [nil] + biases.dropLast(), ["group_size": .int(8), "active_groups": .int(9)]),
    ] as [([Tensor?], [String: AttributeValue])] {
      let attributes = groups.merging(["activation": .string(activation)]) { $1 }
      // Beyond sixteen rows sums have another order, which may change what group comes last.
      if rows > 16, !groups.isEmpty { continue }
      let y = try check("feed_forward", operands, attributes)[0]
      try expectInvariance("feed_forward", operands, attributes, axis: 0, among: y)
    }
  }

  /// Groups whose scores are equal to the last active one stay.
  @Test func groupsThatTieStay() throws {
    let identity = Tensor(f32: (0..<36).map { $0 % 7 == 0 ? 1 : 0 }, [6, 6])
    let x = Tensor(f32: [1, 2, 3, 0, 2, 0, 5, 0, 1, 1, 4, 4], [2, 6])
    let attributes: [String: AttributeValue] = [
      "activation": .string("relu"), "group_size": .int(2), "active_groups": .int(1),
    ]
    let y = try check("feed_forward", [x, identity, identity], attributes)[0]
    #expect(y.doubles == [1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 4, 4])
  }

  @Test(arguments: rowCounts)
  func headOfAVocabulary(_ rows: Int) throws {
    let (inner, vocabulary) = (40, 1037)
    let operands: [Tensor?] = [
      noise([2, rows, inner], seed: 1), noise([vocabulary, inner], seed: 2), noise([vocabulary], seed: 3),
    ]
    let attributes: [String: AttributeValue] = ["softcap": .float(1.5)]
    let all = try check("lm_head", operands, attributes)[0]
    let last = try check("lm_head", operands, attributes.merging(["last_only": .int(1)]) { $1 })[0]
    if rows <= 8 {
      try expectInvariance("lm_head", operands, attributes, axis: 1, among: all)
      #expect(last.bits == all.positions(rows - 1..<rows, axis: 1).bits)
    }
    _ = try check("lm_head", Array(operands.dropLast()))
  }

  @Test(arguments: rowCounts, [1, 7, 16, 640])
  func residualNormalization(_ rows: Int, _ width: Int) throws {
    let streams = [noise([1, rows, width], seed: 1), noise([1, rows, width], seed: 2)]
    let vectors = [noise([width], seed: 3), noise([width], seed: 4), noise([width], seed: 5)]
    for isCentered in [0, 1] {
      let attributes: [String: AttributeValue] = [
        "centered": .int(isCentered), "epsilon": .float(1e-3), "branch_epsilon": .float(1e-2),
      ]
      let results = try check("residual_normalization", streams + vectors, attributes, results: 2)
      _ = try check("residual_normalization", streams + [vectors[0]], attributes, results: 2)
      let row = rows - 1..<rows
      let one = try check(
        "residual_normalization", streams.map { $0.positions(row, axis: 1) } + vectors, attributes, results: 2
      )
      for result in 0..<2 { #expect(one[result].bits == results[result].positions(row, axis: 1).bits) }
      // A sum that nobody reads takes no memory of its own.
      let alone = try Sample("residual_normalization", streams + vectors, attributes, isUsed: [false, true])
        .evaluate()
      #expect(alone[0] == nil && alone[1]?.bits == results[1].bits)
    }
  }

  @Test func embeddingsOfNarrowTablesAreRoundedOnce() throws {
    let table = Tensor(.f16, [3, 2], values: [1, 2, 3, 4, 0.1, 0.2] as [Float16])
    let places = Tensor(.f16, [2, 2], values: [0.5, 0, 0.25, 1] as [Float16])
    let ids = Tensor(i64: [2, 0], [1, 2])
    let run = try KernelRun(
      "embedding", tensors: [ids, table, Tensor(i64: [1, 0], [1, 2]), places],
      Attributes(["scale": .float(3)]), results: 1)
    let expected = [3 * Float(Float16(0.1)) + 0.25, 3 * Float(Float16(0.2)) + 1, 3.5, 6]
    #expect(run.tensor(0).doubles == expected.map { Double(Float16($0)) })
  }

  @Test func idsBeyondTheTableAreNamed() {
    let table = noise([5, 3], seed: 1)
    func message(_ operands: [Tensor?]) -> String {
      do {
        _ = try Sample("embedding", operands).evaluate()
        return "no error"
      } catch { return "\(error)" }
    }
    #expect(message([Tensor(i64: [4, -5], [1, 2]), table]) == "no error")
    #expect(
      message([Tensor(i64: [4, 5], [1, 2]), table]).contains(
        "token id 5 is out of range, accepted are -5..<5"))
    #expect(
      message([Tensor(i64: [0], [1, 1]), table, Tensor(i64: [7], [1, 1]), table])
        .contains("position 7 is out of range"))
    #expect(message([noise([1], seed: 1), table]).contains("accepted are i64 and i32"))
  }
}
