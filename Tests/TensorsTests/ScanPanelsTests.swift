import Tensors
import TestSupport
import Testing

@Suite struct ScanPanelsTests {
  private static func noise(_ count: Int, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Float.random(in: -3...3, using: &generator) }
  }

  private static func encoded(_ matrix: [Float], rows: Int, stride: Int, _ panels: ScanPanels) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xAA, count: panels.count(rows: rows) * panels.byteCount)
    bytes.withUnsafeMutableBytes {
      panels.encode(matrix, rows: rows, stride: stride, into: $0.baseAddress!)
    }
    return bytes
  }

  private static func decoded(_ bytes: [UInt8], row: Int, _ panels: ScanPanels) -> [Float] {
    var numbers = [Float](repeating: .nan, count: panels.rank)
    bytes.withUnsafeBytes { panels.decode($0.baseAddress!, row: row, into: &numbers) }
    return numbers
  }

  @Test(arguments: [4, 8], [8, 64, 72])
  func numbersAreRoundedToTheNearestCode(_ bits: Int, _ rank: Int) throws {
    let panels = try #require(ScanPanels(rank: rank, bits: bits))
    let (rows, stride) = (37, rank + 5)
    let matrix = Self.noise(rows * stride, seed: UInt64(rank))
    let bytes = Self.encoded(matrix, rows: rows, stride: stride, panels)
    #expect(bytes.count == 3 * panels.byteCount)
    for row in 0..<rows {
      let numbers = matrix[row * stride..<row * stride + rank]
      let largest = numbers.reduce(0) { max($0, abs($1)) }
      var errors = (found: Float(0), whole: Float(0))
      for (a, b) in zip(Self.decoded(bytes, row: row, panels), numbers) {
        let step = largest / (bits == 4 ? 7 : 127)
        #expect(abs(a - b) <= (bits == 4 ? 0.3 * largest : step * 0.51), "row \(row)")
        errors.found += (a - b) * (a - b)
        let whole = (b / step).rounded() * step - b
        errors.whole += whole * whole
      }
      // Scales are rounded to f16, which few codes do not feel.
      if bits == 4 { #expect(errors.found <= errors.whole * 1.01, "row \(row)") }
    }
  }

  /// Coordinate k of a row lies in group k / 8 or k / 4; rows past the end have scale 0.
  @Test func codesLieWhereTheKernelsReadThem() throws {
    // Whole numbers, the largest of which is that of the codes: scale 1.
    let four = try #require(ScanPanels(rank: 16, bits: 4))
    let row = (0..<16).map { Float($0 % 15) - 7 }
    let bytes = Self.encoded([Float](repeating: 0, count: 16) + row, rows: 2, stride: 16, four)
    for k in 0..<16 {
      let byte = bytes[k / 8 * 64 + 4 + k % 4]
      #expect(Float(k % 8 < 4 ? byte & 15 : byte >> 4) == row[k] + 8, "coordinate \(k)")
    }
    #expect(Array(bytes[four.byteCount - 32..<four.byteCount - 28]) == [0, 0, 0x00, 0x3C])
    #expect(bytes[(four.byteCount - 28)...].allSatisfy { $0 == 0 })

    let eight = try #require(ScanPanels(rank: 8, bits: 8))
    let wide: [Float] = [-127, -100, -1, 0, 1, 3, 99, 127]
    let more = Self.encoded([Float](repeating: 0, count: 8) + wide, rows: 2, stride: 8, eight)
    for k in 0..<8 { #expect(Float(more[k / 4 * 64 + 4 + k % 4]) == wide[k] + 128, "coordinate \(k)") }
  }

  @Test func aRowOfZerosStaysZero() throws {
    for bits in [4, 8] {
      let panels = try #require(ScanPanels(rank: 8, bits: bits))
      let bytes = Self.encoded([Float](repeating: 0, count: 8), rows: 1, stride: 8, panels)
      #expect(Self.decoded(bytes, row: 0, panels) == [Float](repeating: 0, count: 8))
    }
  }

  @Test func otherFormsAreRefused() {
    #expect(ScanPanels(rank: 12, bits: 4) == nil)
    #expect(ScanPanels(rank: 0, bits: 4) == nil)
    #expect(ScanPanels(rank: 16, bits: 5) == nil)
  }
}
