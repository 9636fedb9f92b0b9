import TestSupport
import Testing

@testable import Tensors

extension SeededGenerator {
  fileprivate mutating func floats(_ count: Int) -> [Float] {
    (0..<count).map { _ in .random(in: -1...1, using: &self) }
  }
}

extension BlockFormat {
  fileprivate func roundTrip(_ row: [Float]) -> [Float] {
    var bytes = [UInt8](repeating: 0xA5, count: rowBytes(row.count) + 8)
    var decoded = [Float](repeating: .nan, count: row.count)
    bytes.withUnsafeMutableBytes { encode(row, columns: row.count, into: $0.baseAddress!) }
    #expect(bytes.suffix(8).allSatisfy { $0 == 0xA5 }, "wrote past the row")
    bytes.withUnsafeBytes { decode($0.baseAddress!, columns: row.count, into: &decoded) }
    return decoded
  }

  fileprivate func reproduces(_ row: [Float]) -> Bool { reproduces(row, columns: row.count) }
}

struct BlockFormatTests {
  @Test(arguments: zip(BlockFormat.allCases, [5, 5.5, 7, 8.5, 8.5, 4.5, 16, 32]))
  func sizesAreWhatTheTableSays(format: BlockFormat, bits: Double) {
    #expect(format.bitsPerWeight == bits)
    #expect(format.rowBytes(640) == Int(640 * bits / 8))
    #expect(format.rowBytes(2048) == Int(2048 * bits / 8))
    #expect(format.rowBytes(1) <= 40)
    for coding in [
      Q8B32.self, Q6B16.self, Q5B32.self, Q4B32.self, Q8N32.self, Q4N32.self,
    ] as [any BlockCoding.Type] {
      #expect(coding.byteCount == coding.planes.reduce(0, +) * 4 + coding.parameterCount * 2)
    }
  }

  /// Half a step of the grid; for grids without a code at one end a whole one.
  @Test(
    arguments: zip(
      BlockFormat.allCases,
      [1 / 15, 1 / 16, 1 / 32, 1 / 127, 1 / 127, 8.5 / 127, 0x1p-8, 0] as [Float]))
  func errorsStayWithinAStep(format: BlockFormat, step: Float) {
    var random = SeededGenerator(seed: 1)
    for columns in [1, 15, 16, 17, 31, 32, 33, 64, 96, 160, 255, 256, 257, 480, 1000] {
      let row = random.floats(columns)
      for (decoded, value) in zip(format.roundTrip(row), row) {
        #expect((decoded - value).magnitude <= step * 1.01, "\(columns) columns")
      }
    }
  }

  /// A plane of another format has no code of its own for most numbers.
  @Test(arguments: BlockFormat.allCases.filter { $0 != .q4n32 })
  func zerosAndSingleNumbers(format: BlockFormat) {
    #expect(format.roundTrip([Float](repeating: 0, count: 70)) == [Float](repeating: 0, count: 70))
    #expect(format.reproduces([Float](repeating: 0, count: 70)))
    #expect(format.roundTrip([0.75]) == [0.75])
    #expect(format.roundTrip([-0.75]) == [-0.75])
    var spike = [Float](repeating: 0, count: 64)
    spike[40] = -3
    #expect(format.roundTrip(spike) == spike)
  }

  /// The layout: number e of block b of a chunk of m blocks stands at (e / 4 * m + b) * 4 + e % 4.
  @Test func placesOfCodes() {
    var row = [Float](repeating: 127, count: 352)
    for k in 0..<352 where k % 32 != 0 { row[k] = Float(k / 32 * 8 + k % 32 / 4) }
    var bytes = [UInt8](repeating: 0, count: BlockFormat.q8b32.rowBytes(352))
    bytes.withUnsafeMutableBytes { BlockFormat.q8b32.encode(row, columns: 352, into: $0.baseAddress!) }
    // A chunk of 8, one of 2 from 256 on, one of 1 from 320 on.
    // Piece 3 of block 5 of 8, piece 1 of block 1 of 2, the end of piece 7 of the last.
    #expect(bytes[116] == 43)
    #expect(bytes[268] == 73)
    #expect(bytes[351] == 87)
  }

  @Test func planesOfCodes() {
    // d = 1: code q + 16 at place t of a chunk of one block, whose planes are 16 bytes of nibbles and 4 of
    // bits.
    let row = (0..<32).map { Float($0 - 16) }
    var bytes = [UInt8](repeating: 0, count: BlockFormat.q5b32.rowBytes(32))
    bytes.withUnsafeMutableBytes { BlockFormat.q5b32.encode(row, columns: 32, into: $0.baseAddress!) }
    #expect(Array(bytes[..<16]) == (0..<16).map { UInt8($0 | $0 << 4) })
    #expect(Array(bytes[16..<20]) == [0xF0, 0xF0, 0xF0, 0xF0])
    #expect(Array(bytes[20..<22]) == [0x00, 0x3C])
  }

  /// Codes of -127, -1, 0 and 127: nibbles 0 1, 7 15, 8 0 and 15 15, high ones first.
  @Test func nestedPlanesOfAMatrix() {
    let (rows, columns) = (3, 352)
    var generator = SeededGenerator(seed: 2)
    let matrix = (0..<rows).map { _ in generator.floats(columns) }
    func bytes(_ format: BlockFormat) -> [UInt8] {
      var bytes = [UInt8](repeating: 0xA5, count: rows * format.rowBytes(columns))
      bytes.withUnsafeMutableBytes {
        for row in 0..<rows {
          format.encode(matrix[row], columns: columns, into: $0.baseAddress!, row: row, of: rows)
        }
      }
      return bytes
    }
    func numbers(_ format: BlockFormat, _ bytes: [UInt8], _ row: Int) -> [Float] {
      var numbers = [Float](repeating: .nan, count: columns)
      bytes.withUnsafeBytes {
        format.decode($0.baseAddress!, row: row, of: rows, columns: columns, into: &numbers)
      }
      return numbers
    }
    let (whole, nested, high) = (bytes(.q8b32), bytes(.q8n32), bytes(.q4n32))
    #expect(nested.count == whole.count)
    #expect(Array(nested.prefix(high.count)) == high)
    for row in 0..<rows {
      let exact = numbers(.q8b32, whole, row)
      #expect(numbers(.q8n32, nested, row) == exact)
      // What only the first plane tells is half a step of 16 codes away at most.
      for (rough, number) in zip(numbers(.q4n32, high, row), exact) {
        #expect((rough - number).magnitude <= 7.5 / 127 * 1.01)
      }
    }
    var row = [Float](repeating: 0, count: 32)
    (row[0], row[1], row[2], row[31]) = (-127, -1, 0, 127)
    var one = [UInt8](repeating: 0, count: BlockFormat.q8n32.rowBytes(32))
    one.withUnsafeMutableBytes { BlockFormat.q8n32.encode(row, columns: 32, into: $0.baseAddress!) }
    #expect(Array(one[..<3]) == [0x80, 0x87, 0x88] && one[15] == 0xF8)
    #expect(Array(one[16..<18]) == [0x00, 0x3C])
    #expect(Array(one[24..<27]) == [0x01, 0x0F, 0x00] && one[39] == 0xF0)
  }

  @Test func activationsOfARow() {
    let x = QuantizedRow([2, -1, 0.5] + [Float](repeating: 0, count: 29) + [0x1p-120])
    #expect(x.scales == [2 / 127, 0])
    #expect(x.quants[..<3] == [127, -64, 32] && x.quants[32] == 0)
    let row: [Float] = [1, 2, 3] + [Float](repeating: 0, count: 29) + [1]
    let expected = 2.0 / 127 * (127 - 128 + 96)
    let product = row.withUnsafeBytes { BlockFormat.f32.dot($0.baseAddress!, x) }
    #expect((product - expected).magnitude < 1e-6)
  }
}

/// Numbers as other programs have quantized them.
struct GridTests {
  private static let scales: [Float] = [0.0123, -0.0123, 1, 900, 0x1p-20, 0x3p-24, -0x1.3ep-9]

  private func block(_ quants: [Int], _ scale: Float) -> [Float] {
    quants.map { Float(Float16(scale)) * Float($0) }
  }

  private func quants(_ range: ClosedRange<Int>, seed: UInt64, count: Int = 64) -> [Int] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in .random(in: range, using: &random) }
  }

  @Test(
    arguments: [
      (.q8b32, -127...127), (.q8b32, -128...127), (.q8b32, -100...90), (.q8b32, -3...3), (.q8b32, 0...1),
      (.q8n32, -127...127), (.q8n32, -128...127), (.q8n32, -100...90), (.q8n32, 0...1),
      (.q5b32, -16...15), (.q5b32, -16...3), (.q5b32, -7...6), (.q5b32, -2...1),
      (.q6b16, -32...31), (.q6b16, -20...19), (.q6b16, -1...30), (.q4b32, -8...7), (.q4b32, -8...2),
      (.q4b32, -3...4),
    ] as [(BlockFormat, ClosedRange<Int>)])
  func gridsWithF16ScalesAreFoundExactly(format: BlockFormat, range: ClosedRange<Int>) {
    for (index, scale) in Self.scales.enumerated() {
      for seed in 0..<8 {
        let row = block(quants(range, seed: UInt64(seed * 7 + index)), scale)
        #expect(format.reproduces(row), "scale \(scale)")
        // The minimum of q4b32, a multiple of the scale, may need more digits than f16 has.
        let bound = format == .q4b32 ? row.map(\.magnitude).max()! * 0x1p-11 : 0
        for (decoded, value) in zip(format.roundTrip(row), row) {
          #expect((decoded - value).magnitude <= bound, "scale \(scale)")
        }
      }
    }
  }

  /// MatMulNBits: f32 scales, with and without zero points.
  @Test func gridsWithF32ScalesAreFoundToRounding() {
    var random = SeededGenerator(seed: 5)
    for seed in 0..<20 {
      let scale = Float.random(in: 0.001...0.1, using: &random)
      for (format, range) in [
        (.q4b32, -8...7), (.q5b32, -8...7), (.q4b32, -3...12), (.q4b32, 0...15), (.q8b32, -128...127),
      ] as [(BlockFormat, ClosedRange<Int>)] {
        let row = quants(range, seed: UInt64(seed)).map { Float($0) * scale }
        #expect(format.reproduces(row))
        let bound = row.map(\.magnitude).max()! * BlockFormat.rounding
        for (decoded, value) in zip(format.roundTrip(row), row) {
          #expect((decoded - value).magnitude <= bound)
        }
      }
    }
  }

  /// Q4_K: w = (d s) q - (e t) with f16 d, e and 6-bit s, t per 32; Q6_K: w = (d s) q with f16 d and int8 s
  /// per 16.
  @Test func gridsOfSuperblocksAreFoundToRounding() {
    var random = SeededGenerator(seed: 6)
    for seed in 0..<100 {
      let d = Float(Float16(Float.random(in: 1e-5...1e-3, using: &random)))
      let e = Float(Float16(Float.random(in: 1e-5...1e-3, using: &random)))
      let (s, t) = (
        Float(Int.random(in: 1...63, using: &random)), Float(Int.random(in: 0...63, using: &random))
      )
      let q4k = quants(0...15, seed: UInt64(seed), count: 32).map { d * s * Float($0) - e * t }
      #expect(BlockFormat.q4b32.reproduces(q4k))
      let sixth = Float(Int.random(in: -128...127, using: &random))
      let q6k = quants(-32...31, seed: UInt64(seed), count: 16).map { d * sixth * Float($0) }
      #expect(BlockFormat.q6b16.reproduces(q6k))
    }
  }

  @Test(arguments: [BlockFormat.q8b32, .q6b16, .q5b32, .q4b32, .q8n32, .q4n32])
  func numbersOnNoGridAreRefused(format: BlockFormat) {
    var random = SeededGenerator(seed: 9)
    #expect(!format.reproduces(random.floats(32)))
    #expect(!format.reproduces([1, .nan] + random.floats(30)))
    #expect(!format.reproduces([1, .infinity] + random.floats(30)))
    #expect(!format.reproduces([1e30, 5e29, 1e29]), "the scale is beyond f16")
  }

  @Test func theSmallestFormatOfAMatrix() {
    func smallest(_ matrix: [Float]) -> BlockFormat {
      BlockFormat.smallest(reproducing: matrix, rows: matrix.count / 64, columns: 64)
    }
    let q5 = block(quants(-16...15, seed: 1, count: 64 * 40), 0.02)
    #expect(smallest(q5) == .q5b32)
    #expect(smallest(block(quants(-8...7, seed: 2, count: 64 * 40), 0.02)) == .q4b32)
    #expect(smallest(block(quants(-127...127, seed: 3, count: 64 * 40), 0.02)) == .q8b32)
    var random = SeededGenerator(seed: 4)
    let numbers = random.floats(64 * 40)
    #expect(smallest(numbers) == .f32)
    // One row, not among those looked at first, that is on no grid.
    var mixed = q5
    mixed.replaceSubrange(64 * 3..<64 * 4, with: numbers[..<64])
    #expect(smallest(mixed) == .f32)
    #expect(smallest(numbers.map { NumberCoding.float(bf16: NumberCoding.bf16($0)) }) == .bf16)
  }
}
