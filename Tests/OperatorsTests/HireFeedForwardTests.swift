import Kernels
import Operators
import Tensors
import Testing

/// The kernel of `hire_feed_forward` against the dense block and against the choice as its definition tells it.
@Suite struct HireFeedForwardTests {
  /// A small block over noise.
  struct Case: CustomTestStringConvertible, Sendable {
    var activation = "relu_squared"
    var isGated = false
    var hasScan = true
    var scansGroups = false
    var keepsCandidates = false
    var hasProjection = false
    var hasBias = false
    var bits = 8
    var format = BlockFormat.q8b32
    var downFormat = BlockFormat.q8b32
    var hasImportance = false
    var cutoff: Float?
    var groupSize = 8
    var common = 0
    var candidates = 6
    var active = 4
    var length = 5
    /// Nil without bounds.
    var bound: BlockFormat?

    static let inner = 40, neurons = 96, outputs = 70, batch = 2

    var testDescription: String {
      "\(activation) gated \(isGated) scan \(hasScan) projection \(hasProjection) bias \(hasBias) \(bits) bits"
        + " \(format) down \(downFormat) importance \(hasImportance) groups of \(groupSize): \(common) + \(candidates)"
        + " -> \(keepsCandidates ? candidates : active)\(scansGroups ? ", scanned as such" : "")"
        + (bound.map { " bounded by \($0)" } ?? "")
    }

    var attributes: [String: AttributeValue] {
      var attributes: [String: AttributeValue] = [
        "activation": .string(activation), "group_size": .int(groupSize), "common_groups": .int(common),
        "candidate_groups": .int(candidates), "outputs": .int(Self.outputs),
        "down_format": .string(downFormat.rawValue),
      ]
      if !keepsCandidates { attributes["active_groups"] = .int(active) }
      if scansGroups { attributes["scan_of"] = .string("groups") }
      if hasScan {
        attributes["scan_rank"] = .int(Self.inner)
        attributes["scan_bits"] = .int(bits)
      }
      if let cutoff { attributes["cutoff"] = .float(cutoff) }
      attributes["bound_format"] = bound.map { .string($0.rawValue) }
      if format != .f32 {
        attributes["up_format"] = .string(format.rawValue)
        if isGated { attributes["gate_format"] = .string(format.rawValue) }
      }
      return attributes
    }

    var up: Tensor { noise([Self.neurons, Self.inner], seed: 2) }
    var gate: Tensor { noise([Self.neurons, Self.inner], seed: 3) }
    var down: Tensor { noise([Self.outputs, Self.neurons], seed: 4) }
    /// Columns of down.
    var columns: Tensor {
      let layout = BlockColumns(downFormat, rows: Self.outputs) ?? BlockColumns(.q8b32, rows: Self.outputs)!
      let panels = Tensor(.u8, [layout.count(columns: Self.neurons), layout.panelBytes])
      let numbers = down.array(of: Float.self)
      for chunk in 0..<layout.chunkCount {
        layout.encode(chunk: chunk, of: numbers, columns: Self.neurons, into: panels.base)
      }
      return panels
    }
    private func importance(seed: Int) -> Tensor? {
      guard hasImportance else { return nil }
      return Tensor(f32: (0..<Self.neurons).map { Float(1 + $0 * seed % 7) / 7 }, [Self.neurons])
    }

    func operands() throws -> [Tensor?] {
      func packed(_ tensor: Tensor) throws -> Tensor {
        format == .f32 ? tensor : try WeightFormatTests.packed(tensor, format)
      }
      // A projection that changes signs, and predictor rows that change them back.
      let signs = (0..<Self.inner).map { Float($0 % 3 == 0 ? -1 : 1) }
      var predictor = (isGated ? gate : up).array(of: Float.self)
      var projection: Tensor?
      if hasProjection {
        for index in predictor.indices { predictor[index] *= signs[index % Self.inner] }
        let entries = (0..<Self.inner * Self.inner).map {
          $0 % (Self.inner + 1) == 0 ? signs[$0 / Self.inner] : 0
        }
        projection = Tensor(f32: entries, [Self.inner, Self.inner])
      }
      let scan = scan(of: predictor)
      let first = try packed(isGated ? gate : up)
      let bounds = bound.map {
        RowBoundTensors(
          WeightMatrix(format, first.base, rows: Self.neurons, columns: Self.inner), in: $0, metric: nil,
          pool: ThreadPool(threadCount: 1))
      }
      return [
        noise([Self.batch, length, Self.inner], seed: 1), try packed(up), columns,
        isGated ? first : nil, hasScan ? scan : nil,
        projection, hasBias ? noise([Self.neurons], seed: 5) : nil,
        hasBias ? noise([Self.outputs], seed: 6) : nil,
        hasBias && isGated ? noise([Self.neurons], seed: 7) : nil, importance(seed: 3), importance(seed: 5),
        bounds?.weight, bounds?.error, bounds?.slack,
      ]
    }

    /// A predictor of these rows, `[96, 40]`.
    func scan(of rows: [Float]) -> Tensor {
      var (rows, count) = (
        Array(rows.dropFirst(common * groupSize * Self.inner)), Self.neurons - common * groupSize
      )
      if scansGroups {
        count /= groupSize
        var means = [Float](repeating: 0, count: count * Self.inner)
        for (index, number) in rows.enumerated() {
          means[index / Self.inner / groupSize * Self.inner + index % Self.inner] += number / Float(groupSize)
        }
        rows = means
      }
      let panels = ScanPanels(rank: Self.inner, bits: bits == 4 ? 4 : 8)!
      let scan = Tensor(.u8, [panels.count(rows: count), panels.byteCount])
      panels.encode(rows, rows: count, stride: Self.inner, into: scan.base)
      return scan
    }

    func run(_ operands: [Tensor?], threads: Int = 1) throws -> Tensor {
      try KernelRun(
        "hire_feed_forward", tensors: operands, Attributes(attributes), results: 1, threads: threads
      ).tensor(0)
    }
  }

  private static let cases: [Case] =
    [
      Case(), Case(hasProjection: true), Case(hasBias: true, common: 2), Case(format: .f32, active: 6),
      Case(format: .bf16), Case(format: .f32, downFormat: .f32),
      Case(activation: "relu", groupSize: 1, candidates: 30, active: 20),
      Case(activation: "gelu", groupSize: 3, candidates: 9, active: 9),
      Case(activation: "silu", isGated: true, hasBias: true),
      Case(isGated: true, hasScan: false, hasBias: true),
      Case(activation: "gelu_tanh", isGated: true, hasScan: false, groupSize: 1, candidates: 40, active: 40),
      Case(isGated: true, hasScan: false, format: .f32), Case(bits: 4),
      Case(downFormat: .q4b32), Case(downFormat: .q5b32, hasImportance: true), Case(downFormat: .q6b16),
      Case(
        activation: "gelu_tanh", isGated: true, hasScan: false, downFormat: .q6b16, hasImportance: true,
        groupSize: 1,
        candidates: 50, active: 30),
      Case(activation: "relu", hasScan: false, groupSize: 1, candidates: 96, active: 96),
      Case(activation: "relu", isGated: true, hasScan: false, groupSize: 1, candidates: 96, active: 96),
      Case(
        activation: "gelu_tanh", isGated: true, hasScan: false, cutoff: 0.8, groupSize: 1, candidates: 96,
        active: 96),
      Case(activation: "relu", scansGroups: true, hasBias: true, common: 3),
      Case(
        activation: "relu", isGated: true, scansGroups: true, keepsCandidates: true, hasProjection: true,
        common: 1),
      Case(
        activation: "relu", scansGroups: true, keepsCandidates: true, bits: 4, groupSize: 1, common: 5,
        candidates: 40),
    ] + bounded

  /// All neurons that upper bounds do not prove to be 0.
  private static let bounded: [Case] = [
    (BlockFormat.f32, BlockFormat.q8b32), (.f32, .q4b32), (.bf16, .q8b32), (.q8b32, .q4b32), (.q8b32, .q6b16),
  ].flatMap { format, bound in
    [false, true].map { isGated in
      Case(
        activation: isGated ? "relu" : "relu_squared", isGated: isGated, hasScan: false,
        keepsCandidates: true,
        hasBias: bound != .q6b16, format: format, groupSize: 1, candidates: 96, bound: bound)
    }
  }

  private func close(_ a: Tensor, _ b: Tensor, _ tolerance: Double) -> Bool {
    a.type == b.type && zip(a.doubles, b.doubles).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
  }

  /// With all groups as candidates nothing is missed, whatever the scan says.
  @Test(arguments: cases) func isTheDefinitionWhenAllAreCandidates(_ test: Case) throws {
    var test = test
    test.candidates = Case.neurons / test.groupSize
    // Blocks of weights meet activations in int8, which may turn a choice over.
    if test.format != .bf16 { test.format = .f32 }
    let operands = try test.operands()
    let sample = Sample("hire_feed_forward", operands, test.attributes)
    let expected = try #require(try sample.evaluateDecomposition()?[0])
    #expect(close(try test.run(operands), expected, 1e-4))
  }

  /// Against `feed_forward` with the same weights, all groups active.
  @Test(arguments: cases) func isTheDenseBlockWhenAllAreActive(_ test: Case) throws {
    var test = test
    test.candidates = Case.neurons / test.groupSize
    test.active = test.candidates
    let operands = try test.operands()
    // The same numbers by rows.
    let columns = try #require(
      try Sample(
        "unpack_blocks", [try WeightFormatTests.packed(test.down, test.downFormat)],
        ["format": .string(test.downFormat.rawValue), "columns": .int(Case.neurons)]
      ).evaluate()[0])
    var attributes: [String: AttributeValue] = ["activation": .string(test.activation)]
    for name in ["up_format", "gate_format", "cutoff"] { attributes[name] = test.attributes[name] }
    let dense = try #require(
      try Sample(
        "feed_forward",
        [operands[0], operands[1], columns, operands[3], operands[6], operands[7], operands[8]], attributes
      ).evaluate()[0])
    #expect(close(try test.run(operands), dense, 1e-4))
  }

  /// With gates for a choice there is nothing to miss.
  @Test(arguments: cases.filter { !$0.hasScan && !$0.hasImportance }) func exactGatesChooseTheBest(
    _ test: Case
  ) throws {
    var test = test
    test.format = .f32
    test.active = test.candidates
    let operands = try test.operands()
    let expected = try #require(
      try Sample("hire_feed_forward", operands, test.attributes).evaluateDecomposition()?[0])
    #expect(close(try test.run(operands), expected, 1e-4))
  }

  /// What ReLU makes 0 is left out, and nothing else; that bits do not depend on it is the kernel's to keep.
  @Test(arguments: [false, true]) func zerosAreLeftOut(isGated: Bool) throws {
    var test = Case(activation: "relu", isGated: isGated, hasScan: false, groupSize: 1)
    (test.candidates, test.active) = (Case.neurons, Case.neurons)
    let (operands, tally) = (try test.operands(), NeuronTally())
    let counted = try KernelRun(
      "hire_feed_forward", tensors: operands, Attributes(test.attributes), results: 1, tally: tally
    ).tensor(0)
    #expect(counted.bits == (try test.run(operands)).bits, "counting changes nothing")
    let counts = try #require(tally.counts[0])
    let scores = isGated ? test.gate : test.up
    let x = operands[0]!.array(of: Float.self)
    let positive = (0..<10 * Case.neurons).count { place in
      let (row, neuron) = (place / Case.neurons, place % Case.neurons)
      return (0..<Case.inner).reduce(Float(0)) {
        $0 + x[row * Case.inner + $1] * scores.array(of: Float.self)[neuron * Case.inner + $1]
      } > 0
    }
    #expect(counts.rows == 10 && counts.found == counts.wanted && counts.wanted == counts.active)
    #expect(abs(counts.active - positive) <= 8, "\(counts.active) of \(positive)")
    #expect(counts.candidates == counts.active)
    #expect(counts.unions.keys.sorted() == [10] && counts.unions[10]!.neurons > counts.active / 10)
  }

  /// Bounds change no bit, and leave less than all: the better the copies, the nearer to what is not 0.
  @Test(arguments: bounded) func boundsChangeNothing(_ test: Case) throws {
    let (operands, tally) = (try test.operands(), NeuronTally())
    var plain = test
    plain.bound = nil
    let expected = try plain.run(Array(operands.prefix(11)))
    for threads in 1...3 { #expect(try test.run(operands, threads: threads).bits == expected.bits) }
    _ = try KernelRun(
      "hire_feed_forward", tensors: operands, Attributes(test.attributes), results: 1, threads: 2,
      tally: tally)
    let counts = try #require(tally.counts[0])
    #expect(counts.found == counts.wanted && counts.wanted > 0)
    #expect(counts.candidates >= counts.active && counts.candidates < counts.rows * Case.neurons)
    if test.bound == .q8b32 { #expect(Double(counts.candidates) < 1.3 * Double(counts.active)) }
  }

  /// Copies that are no copies, with errors of 0, prove what is false: the bounds are what decides.
  @Test func boundsDecide() throws {
    let test = Self.bounded[0]
    var operands = try test.operands()
    let honest = try test.run(operands)
    operands[11] = try WeightFormatTests.packed(
      Tensor(f32: test.up.array(of: Float.self).map { -$0 }, test.up.shape), .q8b32)
    for index in [12, 13] { operands[index] = Tensor(.f32, operands[index]!.shape) }
    #expect(!close(try test.run(operands), honest, 1e-2))
  }

  /// What is no number, or infinite, passes every bound.
  @Test(arguments: bounded) func noNumbersPassBounds(_ test: Case) throws {
    var operands = try test.operands()
    var plain = test
    plain.bound = nil
    for value in [Float.nan, .infinity, -.infinity, 3e38] {
      var x = operands[0]!.array(of: Float.self)
      x[Case.inner + 3] = value
      operands[0] = Tensor(f32: x, operands[0]!.shape)
      #expect(try test.run(operands).bits == (try plain.run(Array(operands.prefix(11)))).bits, "\(value)")
    }
  }

  /// Of gates that are cut off next to none is left, and nothing else is read.
  @Test func gatesThatAreCutOffAreLeftOut() throws {
    let test = Case(
      activation: "silu", isGated: true, hasScan: false, cutoff: 1.645, groupSize: 1, candidates: 96,
      active: 96)
    let tally = NeuronTally()
    _ = try KernelRun(
      "hire_feed_forward", tensors: try test.operands(), Attributes(test.attributes), results: 1, tally: tally
    )
    let counts = try #require(tally.counts[0])
    #expect(counts.candidates == counts.active && counts.found == counts.wanted)
    #expect(counts.active > 0 && Double(counts.active) < 0.1 * Double(counts.rows * Case.neurons))
  }

  /// A predictor that sees nothing of the gate finds no more than chance.
  @Test func aBadPredictorShowsInTheTally() throws {
    let test = Case(candidates: 6, active: 4)
    let operands = try test.operands()
    func recall() throws -> Double {
      let tally = NeuronTally()
      _ = try KernelRun(
        "hire_feed_forward", tensors: operands, Attributes(test.attributes), results: 1, threads: 2,
        tally: tally)
      let counts = try #require(tally.counts[0])
      return Double(counts.found) / Double(counts.wanted)
    }
    #expect(try recall() > 0.95)
    let panels = ScanPanels(rank: Case.inner, bits: 8)!
    panels.encode(
      noise([Case.neurons, Case.inner], seed: 77).array(of: Float.self), rows: Case.neurons,
      stride: Case.inner,
      into: operands[4]!.base)
    #expect(try recall() < 0.75)
  }

  /// All groups that are not 0 are wanted where all candidates count.
  @Test func whatNoCandidateFindsIsMissed() throws {
    let test = Case(
      activation: "relu", scansGroups: true, keepsCandidates: true, groupSize: 1, candidates: 24)
    let tally = NeuronTally()
    _ = try KernelRun(
      "hire_feed_forward", tensors: try test.operands(), Attributes(test.attributes), results: 1, tally: tally
    )
    let counts = try #require(tally.counts[0])
    // About half of noise is above 0, a quarter of the neurons are candidates.
    #expect(
      counts.wanted > 35 * counts.rows && counts.found <= 24 * counts.rows && counts.found > 20 * counts.rows)
  }

  /// Groups that the scan does not see are not among the candidates, unless they are common.
  @Test func theScanChooses() throws {
    var test = Case(format: .f32, candidates: 3, active: 3, length: 1)
    var operands = try test.operands()
    // A scan that sees groups 5, 7 and 11 alone.
    let seen: Set<Int> = [5, 7, 11]
    let rows = (0..<Case.neurons * Case.inner).map { index in
      seen.contains(index / Case.inner / 8) ? test.up.array(of: Float.self)[index] : 0
    }
    operands[4] = test.scan(of: rows)
    func expected(_ groups: Set<Int>) throws -> Tensor {
      var dense = test
      (dense.common, dense.candidates, dense.active) = (0, 12, 12)
      var masked = operands
      masked[4] = dense.scan(of: rows)
      masked[1] = Tensor(
        f32: test.up.array(of: Float.self).enumerated().map {
          groups.contains($0.offset / Case.inner / 8) ? $0.element : 0
        }, test.up.shape)
      return try dense.run(masked)
    }
    #expect(close(try test.run(operands), try expected(seen), 1e-5))
    // Nothing is scanned of the common path.
    (test.common, test.candidates, test.active) = (1, 4, 4)
    operands[4] = test.scan(of: rows)
    #expect(close(try test.run(operands), try expected(seen.union([0])), 1e-5))
  }

  @Test(arguments: cases) func aRowHasTheSameBitsWhateverTheOthersAndTheThreads(_ test: Case) throws {
    let operands = try test.operands()
    let whole = try test.run(operands)
    for threads in 2...4 { #expect(try test.run(operands, threads: threads).bits == whole.bits) }
    for position in 0..<test.length {
      var single = operands
      single[0] = operands[0]!.positions(position..<position + 1, axis: 1)
      #expect(try test.run(single).bits == whole.positions(position..<position + 1, axis: 1).bits)
    }
  }

  @Test func rowsThatAreNoNumbersShow() throws {
    let test = Case()
    var operands = try test.operands()
    let clean = try test.run(operands)
    var x = operands[0]!.array(of: Float.self)
    x[Case.inner + 3] = .nan
    operands[0] = Tensor(f32: x, operands[0]!.shape)
    let found = try test.run(operands)
    #expect(found.positions(1..<2, axis: 1).doubles.prefix(Case.outputs).allSatisfy { $0.isNaN })
    #expect(found.positions(2..<3, axis: 1).bits == clean.positions(2..<3, axis: 1).bits)
  }

  // MARK: Refusals

  private func refusals(_ test: Case, _ change: (inout [Tensor?]) -> Void = { _ in }) throws -> [String] {
    var operands = try test.operands()
    change(&operands)
    let sample = Sample("hire_feed_forward", operands, test.attributes)
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
    #expect(try refusals(Case()) == ["no error", "no error"])
    for text in try refusals(Case(candidates: 13)) {
      #expect(text.contains("13 groups of 8 do not fit 96 neurons"))
    }
    for text in try refusals(Case(active: 7)) {
      #expect(text.contains("'active_groups' is 7, accepted is 1...6"))
    }
    for text in try refusals(Case(common: 7)) {
      #expect(text.contains("'common_groups' is 7, accepted is 0...6"))
    }
    // Two groups of 8 are a panel less.
    let whole = Case().scan(of: Case().up.array(of: Float.self))
    for text in try refusals(Case(common: 2), { $0[4] = whole }) { #expect(text.contains("accepted")) }
    for text in try refusals(Case(scansGroups: true), { $0[4] = whole }) {
      #expect(text.contains("accepted"))
    }
    for text in try refusals(Case(scansGroups: true, hasImportance: true)).prefix(1) {
      #expect(text.contains("'gate_importance' is given with a scan of groups"))
    }
    var bounded = Self.bounded[0]
    for (operand, wrong) in [
      (11, Tensor(.u8, [95, 68])), (11, Tensor(.u8, [96, 67])), (12, Tensor(.f32, [95])),
      (13, Tensor(.f32, [3])),
    ] {
      for text in try refusals(bounded, { $0[operand] = wrong }) {
        #expect(text.contains("accepted"), "\(text)")
      }
    }
    bounded.activation = "gelu"
    for text in try refusals(bounded) {
      #expect(text.contains("'bound_format' is given for a block with a choice of neurons or with 'gelu'"))
    }
    (bounded.activation, bounded.candidates) = ("relu", 50)
    for text in try refusals(bounded) { #expect(text.contains("accepted is ReLU, all neurons candidates")) }
    bounded = Self.bounded[0]
    bounded.bound = .bf16
    for text in try refusals(bounded, { _ in }) {
      #expect(text.contains("'bound_format' is \"bf16\", accepted are formats of blocks"))
    }
    for text in try refusals(Case(), { $0[11] = Tensor(.u8, [96, 80]) }) {
      #expect(text.contains("operand 11 is given without 'bound_format'"))
    }
    for text in try refusals(Case(groupSize: 0)) { #expect(text.contains("'group_size' is 0")) }
    for text in try refusals(Case(cutoff: 1)) { #expect(text.contains("'cutoff' is given without 'gate'")) }
    for text in try refusals(Case(isGated: true, cutoff: 1)) {
      #expect(text.contains("'cutoff' is given with 'scan'"))
    }
    for text in try refusals(Case(bits: 5)) { #expect(text.contains("4 or 8")) }
    for text in try refusals(Case(activation: "mish")) { #expect(text.contains("'activation' is \"mish\"")) }
    for text in try refusals(Case(downFormat: .bf16)) { #expect(text.contains("accepted are [q4b32")) }
    for text in try refusals(Case(), { $0[4] = Tensor(.u8, [6, 1]) }) { #expect(text.contains("accepted")) }
    for text in try refusals(Case(), { $0[2] = Tensor(.u8, [95, 80]) }) { #expect(text.contains("accepted")) }
    for text in try refusals(Case(hasImportance: true), { $0[9] = Tensor(.f32, [95]) }) {
      #expect(text.contains("accepted"))
    }
  }
}
