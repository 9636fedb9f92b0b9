import GraphIR
import Operators
import Tensors
import TestSupport
import Testing

/// Operators that read weights in blocks: against their decompositions, and bit for bit whatever else is
/// computed.
@Suite struct WeightFormatTests {
  private static let formats: [BlockFormat] = [.q4b32, .q5b32, .q6b16, .q8b32, .q8n32, .bf16]
  private static let rowCounts = [1, 3, 16, 17, 33, 300]

  /// Rows that int8 holds exactly: whole numbers, 127 among those of every block.
  static func exact(_ shape: [Int], seed: UInt64) -> Tensor {
    var generator = SeededGenerator(seed: seed)
    let columns = shape.last!
    let values = (0..<shape.reduce(1, *)).map { index in
      index % columns % 32 == 0 ? 127 : Float(Int.random(in: -127...127, using: &generator))
    }
    return Tensor(f32: values, shape)
  }

  /// What `pack_blocks` makes of a matrix.
  static func packed(_ matrix: Tensor, _ format: BlockFormat) throws -> Tensor {
    let attributes: [String: AttributeValue] = ["format": .string(format.rawValue)]
    return try #require(try Sample("pack_blocks", [matrix], attributes).evaluate()[0])
  }

  private func weights(_ shape: [Int], seed: UInt64, _ format: BlockFormat) throws -> Tensor {
    try Self.packed(noise(shape, seed: seed), format)
  }

  private func run(
    _ operation: String, _ operands: [Tensor?], _ attributes: [String: AttributeValue], threads: Int = 2
  )
    throws -> Tensor
  {
    try KernelRun(operation, tensors: operands, Attributes(attributes), results: 1, threads: threads).tensor(
      0)
  }

  /// The kernel's result, within `tolerance` of the decomposition's relative to its largest magnitude.
  private func check(
    _ operation: String, _ operands: [Tensor?], _ attributes: [String: AttributeValue],
    tolerance: Double = 1e-6
  ) throws -> Tensor {
    let actual = try run(operation, operands, attributes)
    let sample = Sample(operation, operands, attributes)
    let expected = try #require(try sample.evaluateDecomposition()?[0])
    #expect(actual.type == expected.type)
    #expect(try sample.infer(operands.map { $0?.type })[0].type == actual.type)
    let largest = expected.doubles.reduce(1e-30) { max($0, abs($1)) }
    for (a, b) in zip(actual.doubles, expected.doubles) { #expect(abs(a - b) <= tolerance * largest) }
    return actual
  }

  /// Rows have the same bits alone and with other threads.
  private func expectInvariance(
    _ operation: String, _ operands: [Tensor?], _ attributes: [String: AttributeValue], among whole: Tensor,
    _ format: BlockFormat
  ) throws {
    for threads in [1, 3, 4] {
      #expect(try run(operation, operands, attributes, threads: threads).bits == whole.bits)
    }
    let rows = operands[0]!.shape[0]
    // Many rows of bf16 are summed in another order.
    if format == .bf16, rows > 16 { return }
    for row in [0, rows / 2, rows - 1] {
      let one = try run(
        operation, [operands[0]!.positions(row..<row + 1, axis: 0)] + operands.dropFirst(), attributes)
      #expect(one.bits == whole.positions(row..<row + 1, axis: 0).bits)
    }
  }

  @Test(arguments: formats + [.q4n32], rowCounts)
  func linear(_ format: BlockFormat, _ rows: Int) throws {
    for (inner, outputs) in [(33, 5), (352, 70), (640, 17)] {
      let operands: [Tensor?] = [
        Self.exact([rows, inner], seed: 1), try weights([outputs, inner], seed: 2, format),
        noise([outputs], seed: 3),
      ]
      let attributes: [String: AttributeValue] = ["weight_format": .string(format.rawValue)]
      let y = try check("linear", operands, attributes)
      try expectInvariance("linear", operands, attributes, among: y, format)
    }
  }

  @Test(arguments: formats, [1, 5, 40])
  func feedForward(_ format: BlockFormat, _ rows: Int) throws {
    let (inner, neurons, outputs) = (96, 304, 21)
    // One matrix of another format.
    let other: BlockFormat = format == .bf16 ? .q8b32 : .bf16
    let attributes: [String: AttributeValue] = [
      "activation": .string("silu"), "up_format": .string(format.rawValue),
      "gate_format": .string(other.rawValue),
      "down_format": .string(format.rawValue),
    ]
    let operands: [Tensor?] = [
      noise([rows, inner], seed: 1), try weights([neurons, inner], seed: 2, format),
      try weights([outputs, neurons], seed: 3, format), try weights([neurons, inner], seed: 4, other),
      noise([neurons], seed: 5), noise([outputs], seed: 6), noise([neurons], seed: 7),
    ]
    // Activations lose up to 1/254 of the largest of their block.
    let y = try check("feed_forward", operands, attributes, tolerance: 0.02)
    try expectInvariance("feed_forward", operands, attributes, among: y, .bf16)
    var plain = attributes
    plain["gate_format"] = nil
    _ = try check("feed_forward", Array(operands[..<3]), plain, tolerance: 0.02)
  }

  @Test(arguments: formats + [.q4n32], [1, 5, 40])
  func head(_ format: BlockFormat, _ rows: Int) throws {
    let operands: [Tensor?] = [
      Self.exact([2, rows, 64], seed: 1), try weights([1037, 64], seed: 2, format), noise([1037], seed: 3),
    ]
    var attributes: [String: AttributeValue] = [
      "weight_format": .string(format.rawValue), "softcap": .float(1000),
    ]
    let all = try check("lm_head", operands, attributes)
    attributes["last_only"] = .int(1)
    let last = try check("lm_head", operands, attributes)
    if format != .bf16 { #expect(last.bits == all.positions(rows - 1..<rows, axis: 1).bits) }
  }

  @Test(arguments: formats + [.q4n32])
  func embedding(_ format: BlockFormat) throws {
    let attributes: [String: AttributeValue] = [
      "table_format": .string(format.rawValue), "columns": .int(70), "scale": .float(8.5),
    ]
    let table = try weights([9, 70], seed: 1, format)
    let ids = Tensor(i64: [8, 0, -1, 3], [2, 2])
    _ = try check("embedding", [ids, table], attributes)
    let positions = Tensor(i64: [1, 0], [1, 2])
    _ = try check("embedding", [ids, table, positions, noise([4, 70], seed: 2)], attributes)
  }

  /// f16 activations are widened, and the result is f16 again.
  @Test func narrowActivations() throws {
    let x = Tensor(.f16, [2, 32], values: (0..<64).map { Float16($0 % 32 == 0 ? 127 : $0 - 30) })
    let operands: [Tensor?] = [x, try weights([6, 32], seed: 1, .q8b32)]
    _ = try check("linear", operands, ["weight_format": .string("q8b32")], tolerance: 2e-3)
  }

  @Test(arguments: formats)
  func packingIsUndoneByUnpacking(_ format: BlockFormat) throws {
    func unpacked(_ bytes: Tensor) throws -> Tensor {
      let attributes: [String: AttributeValue] = [
        "format": .string(format.rawValue), "columns": .int(70),
      ]
      return try #require(try Sample("unpack_blocks", [bytes], attributes).evaluate()[0])
    }
    let matrix = noise([7, 70], seed: 1)
    let bytes = try Self.packed(matrix, format)
    #expect(bytes.type == TensorType(.u8, [7, Dim(format.rowBytes(70))]))
    let numbers = try unpacked(bytes)
    #expect(numbers.shape == [7, 70])
    for (a, b) in zip(numbers.doubles, matrix.doubles) { #expect(abs(a - b) < 0.08) }
    // Numbers on a grid keep their places.
    let again = try unpacked(try Self.packed(numbers, format))
    for (a, b) in zip(again.doubles, numbers.doubles) { #expect(abs(a - b) <= 0x1p-10) }
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let x = noise([2, 64], seed: 1)
    let bytes = try weights([3, 64], seed: 2, .q8b32)
    func refusal(_ operation: String, _ operands: [Tensor?], _ attributes: [String: AttributeValue]) -> String
    {
      do {
        _ = try Sample(operation, operands, attributes).infer(operands.map { $0?.type })
        return ""
      } catch { return "\(error)" }
    }
    #expect(
      refusal("linear", [x, bytes], ["weight_format": .string("q8b31")]).contains("accepted are [\"q4b32\""))
    #expect(
      refusal("linear", [x, bytes], ["weight_format": .string("q4b32")]).contains("accepted are 40 u8"))
    #expect(refusal("linear", [x, bytes], [:]).contains("must be equal"))
    #expect(
      refusal("embedding", [Tensor(i64: [0], [1, 1]), bytes], ["table_format": .string("q8b32")])
        .contains("'columns'"))
    #expect(refusal("pack_blocks", [x], ["format": .string("f32")]).contains("as it is"))
    #expect(throws: (any Error).self) {
      try Self.packed(Tensor(f32: [1, .nan], [1, 2]), .q8b32)
    }
  }
}
