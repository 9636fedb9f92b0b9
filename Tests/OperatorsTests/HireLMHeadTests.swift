import Kernels
import Tensors
import Testing

/// The kernel of `hire_lm_head` against the search as its definition tells it.
@Suite struct HireLMHeadTests {
  private func check(_ test: HireCase) throws {
    let operands = try test.operands()
    let results = try test.run(operands)
    let shards = (test.vocabulary + test.shardRows - 1) / test.shardRows
    let length = test.isLastOnly ? 1 : test.length
    #expect(results[0].shape == [HireCase.batch, length, shards * test.candidates])
    #expect(results[2].shape == [HireCase.batch, length])
    let expected = try test.expected(operands)
    #expect(results[1].array(of: Int32.self) == expected.flatMap(\.ids), "\(test)")
    #expect(results[0].bits == expected.flatMap(\.logits).map(\.bitPattern), "\(test)")
    for (a, b) in zip(results[2].doubles, expected.map(\.normalizer)) {
      #expect(abs(a - b) <= 1e-5 * max(1, abs(b)), "\(test)")
    }
  }

  @Test(arguments: [BlockFormat.f32, .bf16, .q8b32, .q4b32], [4, 8])
  func findsWhatTheDefinitionFinds(_ format: BlockFormat, _ bits: Int) throws {
    for hasRows in [false, true] {
      for length in 1...5 {
        var test = HireCase(length: length, format: format, bits: bits, hasRows: hasRows, threads: length)
        test.hasBias = length % 2 == 0
        test.softcap = length % 3 == 0 ? 1.5 : 0
        test.isLastOnly = length == 4
        try check(test)
      }
    }
  }

  @Test(arguments: [BlockFormat.q4b32, .q5b32, .q6b16, .bf16])
  func rowsOfTheSecondStageHaveAFormat(_ format: BlockFormat) throws {
    try check(HireCase(rowsFormat: format))
  }

  /// Shards that fill, that do not, and one that holds all; quotas at their ends.
  @Test(arguments: [
    (128, 16, 16, 16), (128, 16, 1, 1), (130, 32, 32, 1), (150, 144, 100, 9), (150, 160, 160, 30),
    (5, 16, 12, 9), (1, 16, 1, 1),
  ])
  func shards(_ vocabulary: Int, _ shardRows: Int, _ survivors: Int, _ candidates: Int) throws {
    for hasRows in [false, true] {
      try check(
        HireCase(
          vocabulary: vocabulary, hasRows: hasRows, hasBias: true, shardRows: shardRows,
          survivors: survivors, candidates: candidates))
    }
  }

  /// Rows have the same bits alone and with other threads.
  @Test(arguments: [true, false])
  func resultsDependOnTheirRowAlone(_ hasRows: Bool) throws {
    var test = HireCase(length: 11, vocabulary: 1000, hasRows: hasRows, softcap: 2)
    let operands = try test.operands()
    let all = try test.run(operands)
    for threads in [1, 3, 4] {
      test.threads = threads
      let again = try test.run(operands)
      for result in 0..<3 { #expect(again[result].bytes.elementsEqual(all[result].bytes)) }
    }
    for rows in [0..<1, 4..<6, 7..<11] {
      let part = try test.run([operands[0]!.positions(rows, axis: 1)] + operands.dropFirst())
      #expect(part[0].bits == all[0].positions(rows, axis: 1).bits)
      #expect(part[2].bits == all[2].positions(rows, axis: 1).bits)
    }
  }

  /// With quotas of whole shards nothing is missed: the logits are those of `lm_head`, bit for bit, and the
  /// sum is that of all, whatever is said of a tail.
  @Test(arguments: [BlockFormat.f32, .q8b32, .q4b32])
  func wholeShardsGiveTheDenseLogits(_ format: BlockFormat) throws {
    var test = HireCase(format: format, hasBias: true, survivors: 64, candidates: 64, softcap: 3)
    let operands = try test.operands()
    for hasRows in [true, false] {
      test.hasRows = hasRows
      let sample = Sample(
        "hire_lm_head", hasRows ? operands : operands.enumerated().map { $0.offset == 5 ? nil : $0.element },
        test.attributes, results: 3)
      let results = try sample.evaluate().map { $0! }
      let dense = try KernelRun(
        "lm_head", tensors: [operands[0], operands[1], operands[6]], Attributes(test.attributes), results: 1
      ).tensor(0)
      let (ids, logits, all) = (results[1].array(of: Int32.self), results[0].bits, dense.bits)
      let width = results[0].shape[2]
      for row in 0..<HireCase.batch * test.length {
        let places = (row * width..<(row + 1) * width).filter { ids[$0] >= 0 }
        #expect(places.map { ids[$0] }.sorted() == (0..<Int32(test.vocabulary)).map { $0 })
        for place in places { #expect(logits[place] == all[row * test.vocabulary + Int(ids[place])]) }
      }
      let decomposed = try #require(try sample.evaluateDecomposition())
      for (a, b) in zip(results[2].doubles, decomposed[2]!.doubles) { #expect(abs(a - b) < 1e-5) }
      #expect(decomposed[1]!.type == results[1].type && decomposed[0]!.type == results[0].type)
    }
  }

  /// The decomposition holds the largest logits in order, and says which places it has no rows for.
  @Test func theDecompositionIsTheDenseDefinition() throws {
    let test = HireCase(vocabulary: 5, shardRows: 16, survivors: 9, candidates: 9)
    let sample = Sample("hire_lm_head", try test.operands(), test.attributes, results: 3)
    let (found, dense) = (try sample.evaluate(), try #require(try sample.evaluateDecomposition()))
    let ids = dense[1]!.array(of: Int32.self)
    #expect(Array(ids[5..<9]) == [-1, -1, -1, -1] && Set(ids[0..<5]) == [0, 1, 2, 3, 4])
    let logits = dense[0]!.array(of: Float.self)
    #expect(logits[0..<5].elementsEqual(logits[0..<5].sorted(by: >)))
    #expect(logits[5..<9].allSatisfy { $0 == -.infinity })
    #expect(found[0]!.type == dense[0]!.type)
  }

  /// A row of x that is no numbers shows in its own results, and in no others.
  @Test func hiddenStatesThatAreNoNumbersShow() throws {
    let test = HireCase(vocabulary: 150)
    var operands = try test.operands()
    let clean = try test.run(operands)
    var x = operands[0]!.array(of: Float.self)
    x[HireCase.inner + 3] = .nan
    operands[0] = Tensor(f32: x, operands[0]!.shape)
    let results = try test.run(operands)
    #expect(results[0].positions(1..<2, axis: 1).doubles.prefix(7).allSatisfy { $0.isNaN })
    #expect(results[2].doubles[1].isNaN)
    #expect(results[0].positions(2..<3, axis: 1).bits == clean[0].positions(2..<3, axis: 1).bits)
  }

  // MARK: Refusals

  private func refusal(_ test: HireCase, _ change: (inout [Tensor?]) -> Void = { _ in }) throws -> [String] {
    var operands = try test.operands()
    change(&operands)
    let sample = Sample("hire_lm_head", operands, test.attributes, results: 3)
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "no error"
      } catch { return "\(error)" }
    }
    return [
      message { _ = try sample.infer(operands.map { $0?.type }) }, message { _ = try sample.evaluate() },
    ]
  }

  @Test func whatDoesNotFitIsRefused() throws {
    var test = HireCase()
    #expect(try refusal(test) == ["no error", "no error"])
    test.survivors = 65
    for text in try refusal(test) { #expect(text.contains("of shards of 64 rows 65 survive")) }
    test = HireCase(candidates: 0)
    for text in try refusal(test) { #expect(text.contains("'candidates' is 0, accepted is")) }
    test = HireCase()
    for text in try refusal(test, { $0[3] = Tensor(.u8, [9, 160]) }) { #expect(text.contains("u8[9, 160]")) }
    for text in try refusal(test, { $0[4] = Tensor(i32: [1, 2]) }) {
      #expect(text.contains("accepted is i32[150]"))
    }
    for text in try refusal(test, { $0[5] = Tensor(.u8, [150, 8]) }) { #expect(text.contains("u8[150, 8]")) }
    test.rowsFormat = .f32
    for text in try refusal(test) { #expect(text.contains("'rows_format' is \"f32\"")) }
    test.rowsFormat = .q8b32
    test.tail.slope = 0
    for text in try refusal(test) { #expect(text.contains("'tail_slope' 0.0, accepted are")) }
    test.tail.slope = 1
    let beyond = try refusal(test) { $0[4] = Tensor(i32: [Int32](repeating: 150, count: 150)) }
    #expect(beyond[0] == "no error" && beyond[1].contains("row_ids hold an id out of range"))
  }
}
