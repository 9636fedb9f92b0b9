import Kernels
import Operators
import Tensors
import Testing

/// Neurons that upper bounds leave out, where products lie so near to 0 that every term of the bound counts.
@Suite struct BoundedNeuronsTests {
  /// More neurons than a thread bounds at a time.
  private static let (inner, neurons, outputs, length) = (72, 700, 24, 3)

  private struct Case: Sendable, CustomTestStringConvertible {
    let format: BlockFormat, bound: BlockFormat
    /// Whether copies of rows and of x are exact, so that roundings of sums are all that bounds are for.
    var isOnGrid = false
    var testDescription: String { "\(format) by \(bound)\(isOnGrid ? ", on its grid" : "")" }
  }

  private static let cases = [
    Case(format: .f32, bound: .q8b32), Case(format: .f32, bound: .q5b32), Case(format: .bf16, bound: .q8b32),
    Case(format: .q8b32, bound: .q6b16), Case(format: .q8b32, bound: .q4b32),
    Case(format: .f32, bound: .q8b32, isOnGrid: true),
  ]

  private static func packed(_ tensor: Tensor, _ format: BlockFormat) throws -> Tensor {
    format == .f32 ? tensor : try WeightFormatTests.packed(tensor, format)
  }

  /// Biases that put the products of row n % 3 with row n of up at 0, an ulp of the product above or below.
  private static func biases(_ x: Tensor, _ up: Tensor, _ format: BlockFormat) throws -> Tensor {
    let attributes = format == .f32 ? [:] : ["weight_format": AttributeValue.string(format.rawValue)]
    let products = try KernelRun("linear", tensors: [x, up], Attributes(attributes), results: 1)
      .tensor(0).array(of: Float.self)
    let biases = (0..<neurons).map { neuron in
      let product = products[neuron % length * neurons + neuron]
      return -[product, product.nextUp, product.nextDown][neuron / length % 3]
    }
    return Tensor(f32: biases, [neurons])
  }

  /// x of 128ths, the first of each block the largest.
  private static func x(_ test: Case) -> Tensor {
    let numbers = noise([1, length, inner], seed: 11).array(of: Float.self)
    if !test.isOnGrid { return Tensor(f32: numbers, [1, length, inner]) }
    let steps = numbers.enumerated().map { index, number -> Float in
      index % inner % BlockFormat.blockSize == 0
        ? 127 / 128 : (number * 127).rounded() / 128
    }
    return Tensor(f32: steps, [1, length, inner])
  }

  private static func up(_ test: Case) throws -> Tensor {
    let numbers = noise([neurons, inner], seed: 12)
    guard test.isOnGrid else { return try packed(numbers, test.format) }
    let (columns, stored) = (inner, try packed(numbers, test.bound))
    let rows = try KernelRun(
      "unpack_blocks", tensors: [stored],
      Attributes(["format": .string(test.bound.rawValue), "columns": .int(columns)]), results: 1)
    return rows.tensor(0)
  }

  private static func tally(_ operands: [Tensor?], _ attributes: [String: AttributeValue]) throws -> (
    y: Tensor, counts: NeuronTally.Counts
  ) {
    let tally = NeuronTally()
    let y = try KernelRun(
      "hire_feed_forward", tensors: operands, Attributes(attributes), results: 1, threads: 2, tally: tally
    ).tensor(0)
    return (y, try #require(tally.counts[0]))
  }

  @Test(arguments: cases) private func nothingAboveZeroIsLeftOut(_ test: Case) throws {
    let (inner, neurons) = (Self.inner, Self.neurons)
    let (x, up) = (Self.x(test), try Self.up(test))
    let layout = try #require(BlockColumns(.f32, rows: Self.outputs))
    let down = Tensor(.u8, [layout.count(columns: neurons), layout.panelBytes])
    let numbers = noise([Self.outputs, neurons], seed: 13).array(of: Float.self)
    for chunk in 0..<layout.chunkCount {
      layout.encode(chunk: chunk, of: numbers, columns: neurons, into: down.base)
    }
    let bounds = RowBoundTensors(
      WeightMatrix(test.format, up.base, rows: neurons, columns: inner), in: test.bound, metric: nil,
      pool: ThreadPool(threadCount: 1))
    var attributes: [String: AttributeValue] = [
      "activation": .string("relu"), "group_size": .int(1), "candidate_groups": .int(neurons),
      "outputs": .int(Self.outputs), "down_format": .string("f32"),
    ]
    if test.format != .f32 { attributes["up_format"] = .string(test.format.rawValue) }
    let plain: [Tensor?] = [
      x, up, down, nil, nil, nil, try Self.biases(x, up, test.format), nil, nil, nil, nil,
    ]
    let expected = try Self.tally(plain, attributes)
    attributes["bound_format"] = .string(test.bound.rawValue)
    let found = try Self.tally(plain + [bounds.weight, bounds.error, bounds.slack], attributes)
    #expect(found.y.bits == expected.y.bits)
    // Products of an ulp add nothing to y: they are counted.
    #expect(found.counts.active == expected.counts.active && found.counts.found == found.counts.wanted)
    #expect(found.counts.candidates < Self.length * neurons)
  }
}
