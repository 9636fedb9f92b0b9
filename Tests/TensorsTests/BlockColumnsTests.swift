import Tensors
import Testing

@Suite struct BlockColumnsTests {
  /// The numbers are those that rows in the same format stand for.
  @Test(arguments: BlockColumns.formats, [(1, 1), (5, 40), (64, 32), (70, 96), (130, 65)])
  func numbersAreThoseOfRows(_ format: BlockFormat, _ shape: (rows: Int, columns: Int)) throws {
    let (rows, columns) = shape
    let layout = try #require(BlockColumns(format, rows: rows))
    var state: UInt32 = 7
    let matrix = (0..<rows * columns).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(Int32(bitPattern: state)) / 0x1p31
    }
    let panels = Tensor(.u8, [layout.count(columns: columns), layout.panelBytes])
    for chunk in 0..<layout.chunkCount {
      layout.encode(chunk: chunk, of: matrix, columns: columns, into: panels.base)
    }
    var numbers = [Float](repeating: .nan, count: rows * BlockFormat.blockSize)
    var stored = [UInt8](repeating: 0, count: format.rowBytes(columns))
    var expected = [Float](repeating: 0, count: columns)
    for block in 0..<layout.count(columns: columns) {
      layout.decode(panels.base, block: block, into: &numbers)
      for row in 0..<rows {
        stored.withUnsafeMutableBytes {
          format.encode(
            Array(matrix[row * columns..<(row + 1) * columns]), columns: columns, into: $0.baseAddress!)
          format.decode(UnsafeRawPointer($0.baseAddress!), columns: columns, into: &expected)
        }
        for e in 0..<min(32, columns - block * 32) {
          #expect(numbers[row * 32 + e] == expected[block * 32 + e], "row \(row), column \(block * 32 + e)")
        }
      }
    }
  }

  /// Kept columns cost no more than dense rows do.
  @Test(arguments: BlockColumns.formats) func columnsTakeTheBytesOfRows(_ format: BlockFormat) throws {
    let layout = try #require(BlockColumns(format, rows: 640))
    let all = 2048 * layout.columnBytes + layout.parameterBytes(columns: 2048)
    #expect(all == 640 * format.rowBytes(2048) && all == layout.count(columns: 2048) * layout.panelBytes)
  }

  @Test func otherFormatsHaveNoColumns() {
    #expect(BlockColumns(.bf16, rows: 4) == nil && BlockColumns(.q8b32, rows: 0) == nil)
  }
}
