import Foundation
import Kernels
import Tensors
import TestSupport
import Testing

/// The kernel of `certify_rows` against the dense head and against its bound in double precision.
@Suite struct CertifyRowsTests {
  /// A head with its bounds.
  struct Case: CustomStringConvertible {
    var length = 3
    var vocabulary = 200
    var inner = 72
    var format = BlockFormat.q8b32
    /// Nil for the first plane of the head.
    var bound: BlockFormat? = .q5b32
    var hasMetric = true
    var hasBias = false
    var softcap: Float = 0
    var isShifted = false
    var capacity = 200
    var threads = 2

    var description: String {
      "S \(length) V \(vocabulary) K \(inner) \(format) by \(bound?.rawValue ?? "its plane") metric \(hasMetric) bias \(hasBias)"
        + " softcap \(softcap) shifted \(isShifted) capacity \(capacity) threads \(threads)"
    }

    var head: [String: AttributeValue] {
      var attributes: [String: AttributeValue] = ["softcap": .float(softcap)]
      if format != .f32 { attributes["weight_format"] = .string(format.rawValue) }
      return attributes
    }

    var attributes: [String: AttributeValue] {
      var attributes = head
      attributes["bound_format"] = bound.map { .string($0.rawValue) }
      attributes["capacity"] = .int(capacity)
      return attributes
    }

    /// A metric of hidden states that lie near a few directions.
    func metric() throws -> BoundMetric {
      let factorizations = try #require(OpenBLAS.shared?.factorizations)
      var covariance = [Double](repeating: 0, count: inner * inner)
      for direction in 0..<5 {
        let x = noise([inner], seed: UInt64(90 + direction)).doubles
        for i in 0..<inner { for j in 0..<inner { covariance[i * inner + j] += x[i] * x[j] } }
      }
      return try BoundMetric(covariance: covariance, inner, factorizations)
    }

    /// x, thresholds of infinity, and what follows.
    func operands(_ weight: Tensor? = nil, x: Tensor? = nil) throws -> [Tensor?] {
      let numbers = weight ?? noise([vocabulary, inner], seed: 2)
      let packed = format == .f32 ? numbers : try WeightFormatTests.packed(numbers, format)
      let metric = hasMetric ? try metric() : nil
      let tensors = RowBoundTensors(
        WeightMatrix(format, packed.base, rows: vocabulary, columns: inner), in: bound, metric: metric,
        pool: ThreadPool(threadCount: 2))
      return [
        x ?? noise([1, length, inner], seed: 1),
        Tensor(f32: [Float](repeating: .infinity, count: length), [1, length]),
        packed, tensors.weight, tensors.error, tensors.slack,
        metric.map { Tensor(f32: $0.forward, [inner, inner]) },
        hasBias ? noise([vocabulary], seed: 5) : nil,
        isShifted ? noise([1, length, vocabulary], seed: 6) : nil,
      ]
    }

    /// Logits of the dense head, row by row.
    func logits(_ operands: [Tensor?]) throws -> [[Float]] {
      try (0..<length).map { row in
        try KernelRun(
          "lm_head", tensors: [operands[0]!.positions(row..<row + 1, axis: 1), operands[2], operands[7]],
          Attributes(head), results: 1
        ).tensor(0).array(of: Float.self)
      }
    }

    struct Found {
      let logits: [Float]
      let ids: [Int32]
      let count: Int
    }

    func run(_ operands: [Tensor?], _ thresholds: [Float]) throws -> [Found] {
      var operands = operands
      operands[1] = Tensor(f32: thresholds, [1, thresholds.count])
      let run = try KernelRun(
        "certify_rows", tensors: operands, Attributes(attributes), results: 3, threads: threads)
      let (logits, ids) = (run.tensor(0).array(of: Float.self), run.tensor(1).array(of: Int32.self))
      let counts = run.tensor(2).array(of: Int32.self)
      return thresholds.indices.map { row in
        let range = row * capacity..<(row + 1) * capacity
        return Found(logits: Array(logits[range]), ids: Array(ids[range]), count: Int(counts[row]))
      }
    }
  }

  /// Every row that reaches the threshold is listed with the bits of the dense head, for every rank of
  /// threshold.
  private func check(_ test: Case, _ operands: [Tensor?]) throws {
    let dense = try test.logits(operands)
    let shift = operands[8]?.array(of: Float.self)
    func raised(_ row: Int, _ id: Int) -> Double {
      Double(dense[row][id]) + Double(shift?[row * test.vocabulary + id] ?? 0)
    }
    let sorted = (0..<test.length).map { row in (0..<test.vocabulary).map { raised(row, $0) }.sorted(by: >) }
    var listed = 0
    for rank in [0, 1, test.vocabulary / 16, test.vocabulary - 1] {
      // Rounded down, so that the one of this rank reaches it.
      let thresholds = (0..<test.length).map { Float(sorted[$0][rank]).nextDown }
      for (row, found) in try test.run(operands, thresholds).enumerated() {
        let ids = found.ids.prefix(found.count)
        #expect(found.count <= test.capacity && ids.elementsEqual(ids.sorted()), "\(test)")
        #expect(
          found.logits.prefix(found.count).map(\.bitPattern) == ids.map { dense[row][Int($0)].bitPattern })
        let reach = Set((0..<test.vocabulary).filter { raised(row, $0) >= Double(thresholds[row]) })
        #expect(reach.subtracting(ids.map { Int($0) }).isEmpty, "\(test), rank \(rank)")
        #expect(found.ids.dropFirst(found.count).allSatisfy { $0 == -1 })
        #expect(found.logits.dropFirst(found.count).allSatisfy { $0 == -.infinity })
        if rank == 0 { listed = max(listed, found.count) }
      }
    }
    #expect(listed < test.vocabulary, "a bound that leaves all rows tells nothing: \(test)")
  }

  @Test(arguments: [BlockFormat.q8b32, .q6b16, .bf16, .f32], [BlockFormat.q4b32, .q5b32, .q6b16])
  func listsWhatReachesTheThreshold(_ format: BlockFormat, _ bound: BlockFormat) throws {
    try checkVariants(format, bound)
  }

  /// High nibbles bound what all of the bits say; a copy may stand beside them all the same.
  @Test(arguments: [nil, BlockFormat.q5b32])
  func planesAreNested(_ bound: BlockFormat?) throws { try checkVariants(.q8n32, bound) }

  private func checkVariants(_ format: BlockFormat, _ bound: BlockFormat?) throws {
    for hasMetric in [false, true] {
      for variant in 0..<4 {
        var test = Case(
          length: variant + 1, format: format, bound: bound, hasMetric: hasMetric, threads: variant + 1)
        test.hasBias = variant % 2 == 1
        test.softcap = variant > 1 ? 3 : 0
        test.isShifted = variant == 2
        try check(test, try test.operands())
      }
    }
  }

  /// Widths that fill no block and no chunk, vocabularies that fill no word and no shard.
  @Test(arguments: [(1, 33), (63, 40), (65, 300), (1030, 64)])
  func sizes(_ vocabulary: Int, _ inner: Int) throws {
    let test = Case(vocabulary: vocabulary, inner: inner, capacity: vocabulary)
    let operands = try test.operands()
    if vocabulary > 1 { return try check(test, operands) }
    let found = try test.run(operands, try test.logits(operands).map { $0[0] })
    #expect(found.allSatisfy { $0.count == 1 && $0.ids == [0] })
  }

  /// All of the rows that tie at the threshold are listed, and a row that nothing can raise never is.
  @Test func tiesAndRowsThatAreOut() throws {
    let test = Case(hasBias: true)
    var numbers = noise([test.vocabulary, test.inner], seed: 2).array(of: Float.self)
    for row in [3, 70, 199] {
      numbers.replaceSubrange(
        row * test.inner..<(row + 1) * test.inner, with: numbers[50 * test.inner..<51 * test.inner])
    }
    var operands = try test.operands(Tensor(f32: numbers, [test.vocabulary, test.inner]))
    var bias = operands[7]!.array(of: Float.self)
    for row in [3, 70, 199, 50] { bias[row] = 0.5 }
    bias[120] = -.infinity
    operands[7] = Tensor(f32: bias, [test.vocabulary])
    let dense = try test.logits(operands)
    for (row, found) in try test.run(operands, dense.map { $0[50] }).enumerated() {
      #expect(Set([3, 50, 70, 199]).isSubset(of: found.ids), "row \(row)")
    }
    let all = try test.run(operands, [Float](repeating: -1e30, count: test.length))
    #expect(all.allSatisfy { $0.count == test.vocabulary - 1 && !$0.ids.contains(120) })
  }

  /// Where more rows are left than fit, none is listed, and the count says so.
  @Test func moreThanFit() throws {
    let test = Case(capacity: 20)
    let operands = try test.operands()
    let found = try test.run(operands, [-1e30, 1e30, -.infinity])
    #expect(found.map(\.count) == [200, 0, 200])
    #expect(found.allSatisfy { $0.ids.allSatisfy { $0 == -1 } && $0.logits.allSatisfy { $0 == -.infinity } })
  }

  /// What is no number is not ruled out: the dense head will tell.
  @Test func whatIsNoNumberIsLeft() throws {
    let test = Case()
    var x = noise([1, 3, test.inner], seed: 1).array(of: Float.self)
    (x[5], x[test.inner + 5]) = (.nan, .infinity)
    let operands = try test.operands(x: Tensor(f32: x, [1, 3, test.inner]))
    let found = try test.run(operands, [1e30, 1e30, 1e30])
    #expect(found.map(\.count) == [test.vocabulary, test.vocabulary, 0])
  }

  /// Rows of x have the same results alone and with other threads.
  @Test func resultsDependOnTheirRowAlone() throws {
    var test = Case(length: 35, vocabulary: 1500, capacity: 1500)
    let operands = try test.operands()
    let thresholds = try test.logits(operands).map { $0.sorted(by: >)[9] }
    let all = try test.run(operands, thresholds)
    for threads in [1, 3, 4] {
      test.threads = threads
      for (a, b) in zip(try test.run(operands, thresholds), all) {
        #expect(
          a.ids == b.ids && a.logits.map(\.bitPattern) == b.logits.map(\.bitPattern) && a.count == b.count)
      }
    }
    test.length = 1
    for row in [0, 17, 34] {
      let one = try test.run(
        [operands[0]!.positions(row..<row + 1, axis: 1)] + operands.dropFirst(), [thresholds[row]])
      #expect(one[0].ids == all[row].ids)
    }
  }

  // MARK: Adversaries

  /// Hidden states that point where a row's copy is most wrong, at all sizes, and rows whose numbers, scales
  /// and minima are far apart: no logit is above its bound.
  @Test(arguments: [BlockFormat.q4b32, .q5b32, .q6b16, .q8b32], [BlockFormat.f32, .bf16, .q8b32])
  func boundsHoldForAdversaries(_ bound: BlockFormat, _ format: BlockFormat) throws {
    guard bound.bitsPerWeight < format.bitsPerWeight else { return }
    try checkAdversaries(bound, format)
  }

  @Test func boundsOfPlanesHoldForAdversaries() throws { try checkAdversaries(nil, .q8n32) }

  private func checkAdversaries(_ bound: BlockFormat?, _ format: BlockFormat) throws {
    for hasMetric in [false, true] {
      for (seed, kind) in ["plain", "offset", "wide", "tiny", "equal"].enumerated() {
        var test = Case(
          length: 1, vocabulary: 40, format: format, bound: bound, hasMetric: hasMetric, capacity: 40)
        var random = SeededGenerator(seed: UInt64(seed))
        let numbers = (0..<test.vocabulary * test.inner).map { index -> Float in
          let number = Float.random(in: -1...1, using: &random)
          switch kind {
          case "offset": return 1000 + number
          case "wide": return number * Float(sign: .plus, exponent: index % 24 - 12, significand: 1)
          case "tiny": return number * 0x1p-20
          case "equal": return index % 5 == 0 ? 0.75 : -0.25
          default: return number
          }
        }
        let operands = try test.operands(Tensor(f32: numbers, [test.vocabulary, test.inner]))
        let head = unpacked(operands[2]!, format, test)
        let copy = bound.map { unpacked(operands[3]!, $0, test) } ?? unpacked(operands[2]!, .q4n32, test)
        for row in stride(from: 0, to: test.vocabulary, by: 3) {
          let place = row * test.inner..<(row + 1) * test.inner
          let error = zip(head[place], copy[place]).map { $0 - $1 }
          for scale: Float in [1, 0x1p-40, 0x1p30] {
            for x in [error, Array(head[place]), copy[place].map { -$0 }] {
              test.length = 1
              var these = operands
              these[0] = Tensor(f32: x.map { $0 * scale }, [1, 1, test.inner])
              let logit = try test.logits(these)[0][row]
              let found = try test.run(these, [logit])
              #expect(found[0].ids.contains(Int32(row)), "\(test) \(kind) row \(row) scale \(scale)")
            }
          }
        }
      }
    }
  }

  private func unpacked(_ tensor: Tensor, _ format: BlockFormat, _ test: Case) -> [Float] {
    if format == .f32 { return tensor.array(of: Float.self) }
    var numbers = [Float](repeating: 0, count: test.vocabulary * test.inner)
    for row in 0..<test.vocabulary {
      numbers.withUnsafeMutableBufferPointer {
        format.decode(
          tensor.base, row: row, of: test.vocabulary, columns: test.inner,
          into: $0.baseAddress! + row * test.inner)
      }
    }
    return numbers
  }

  /// Without the error of the rows the same bound is broken, or the test above would see nothing.
  @Test func withoutErrorsBoundsAreBroken() throws {
    let test = Case(length: 8, bound: .q4b32)
    var operands = try test.operands()
    operands[4] = Tensor(f32: [Float](repeating: 0, count: test.vocabulary), [test.vocabulary])
    let dense = try test.logits(operands)
    var missed = 0
    for id in 0..<test.vocabulary {
      for (row, found) in try test.run(operands, dense.map { $0[id] }).enumerated()
      where !found.ids.contains(Int32(id)) {
        missed += 1
        #expect(row < test.length)
      }
    }
    #expect(missed > 100)
  }

  // MARK: Refusals

  @Test func whatDoesNotFitIsRefused() throws {
    func messages(_ test: Case, _ change: (inout [Tensor?]) -> Void = { _ in }) throws -> [String] {
      var operands = try Case().operands()
      change(&operands)
      let sample = Sample("certify_rows", operands, test.attributes, results: 3)
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
    #expect(try messages(Case()) == ["no error", "no error"])
    for text in try messages(Case(capacity: 0)) {
      #expect(text.contains("'capacity' is 0, accepted are 1 and more"))
    }
    for text in try messages(Case(bound: .f32)) { #expect(text.contains("'bound_format' is \"f32\"")) }
    for text in try messages(Case(bound: nil)) { #expect(text.contains("'bound_format' is \"f32\"")) }
    // The operands are those of a case with a copy.
    for text in try messages(Case(format: .q8n32, bound: nil)) {
      #expect(text.contains("operand 3 is given without 'bound_format'"))
    }
    for text in try messages(Case(), { $0[3] = Tensor(.u8, [200, 8]) }) {
      #expect(text.contains("u8[200, 8]"))
    }
    for text in try messages(Case(), { $0[4] = Tensor(.f32, [7]) }) { #expect(text.contains("f32[7]")) }
    for text in try messages(Case(), { $0[6] = Tensor(.f32, [7, 72]) }) { #expect(text.contains("[7, 72]")) }
    for text in try messages(Case(), { $0[1] = Tensor(.f32, [1, 9]) }) { #expect(text.contains("[1, 9]")) }
  }
}
