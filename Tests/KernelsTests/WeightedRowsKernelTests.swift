import CKernels
import Tensors
import Testing

@testable import Kernels

struct WeightedRowsKernelTests {
  static let kernels = BlockColumns.formats.flatMap { format in
    MicroKernel.runnable("weighted_rows_\(format)").map { Sum(format: format, kernel: $0) }
  }

  struct Sum: Sendable, CustomTestStringConvertible {
    let format: BlockFormat
    let kernel: MicroKernel
    var testDescription: String { kernel.name }
  }

  /// A matrix of columns, a list of some of them, and weights.
  struct Case {
    let rows: Int, outputs: Int
    let layout: BlockColumns
    var list: [Int32]
    var p: [Float]
    let matrix: [Float]
    let panels: [UInt8]

    init(_ format: BlockFormat, rows: Int, outputs: Int, count: Int, p: [Float]? = nil) {
      var random = Random(UInt64(rows * 1_000_000 + outputs * 1000 + count))
      let (layout, columns) = (BlockColumns(format, rows: outputs)!, 2 * count + 1)
      let matrix = random.floats(outputs * columns)
      var panels = [UInt8](repeating: 0, count: layout.count(columns: columns) * layout.panelBytes)
      panels.withUnsafeMutableBytes { bytes in
        for chunk in 0..<layout.chunkCount {
          layout.encode(chunk: chunk, of: matrix, columns: columns, into: bytes.baseAddress!)
        }
      }
      (self.rows, self.outputs, self.layout, self.matrix, self.panels) = (
        rows, outputs, layout, matrix, panels
      )
      list = (0..<count).map { Int32($0 * 2 + $0 % 2) }
      self.p = p ?? random.floats(rows * count)
    }

    /// - Parameter places: what is added up; the whole list when nil.
    func run(_ kernel: MicroKernel, places: Range<Int>? = nil, row: Int? = nil) -> [Float] {
      let (places, count) = (places ?? 0..<list.count, row == nil ? rows : 1)
      let y = GuardedBuffer(count: count * layout.paddedRows)
      let sums = GuardedBuffer(count: count * layout.paddedRows)
      let weights = GuardedBuffer(row.map { Array(p[$0 * list.count..<($0 + 1) * list.count]) } ?? p)
      let bytes = GuardedBuffer(panels.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) })
      withExtendedLifetime((weights, bytes, sums)) {
        list.withUnsafeBufferPointer { list in
          // An empty list has no address.
          var none: Int32 = 0
          withUnsafePointer(to: &none) { none in
            var call = ck_weighted_rows(
              rows: count, i0: places.lowerBound, i1: places.upperBound, outputs: outputs,
              list: list.baseAddress ?? none, w: UnsafeRawPointer(bytes.base), p: weights.base, y: y.base,
              sums: sums.base, p_stride: list.count, y_stride: layout.paddedRows)
            kernel.pointer(as: MicroKernelType.WeightedRows.self)(&call)
          }
        }
      }
      let values = y.values
      return (0..<count).flatMap { values[$0 * layout.paddedRows..<$0 * layout.paddedRows + outputs] }
    }

    /// Sums of the numbers that the rows in this format stand for.
    func expected(_ row: Int) -> [Double] {
      let (format, columns) = (layout.format, matrix.count / outputs)
      var stored = [UInt8](repeating: 0, count: format.rowBytes(columns))
      var numbers = [Float](repeating: 0, count: columns)
      return (0..<outputs).map { d in
        stored.withUnsafeMutableBytes {
          format.encode(
            Array(matrix[d * columns..<(d + 1) * columns]), columns: columns, into: $0.baseAddress!)
          format.decode(UnsafeRawPointer($0.baseAddress!), columns: columns, into: &numbers)
        }
        return list.enumerated().reduce(0) {
          $0 + Double(p[row * list.count + $1.offset]) * Double(numbers[Int($1.element)])
        }
      }
    }
  }

  @Test(arguments: kernels) func sumsAreThoseOfTheDefinition(_ sum: Sum) {
    for outputs in [1, 31, 32, 33, 64, 96, 255, 256, 257, 640] {
      for (rows, count) in [(1, 0), (1, 1), (2, 3), (1, 4), (3, 13), (16, 8), (2, 61)] {
        let test = Case(sum.format, rows: rows, outputs: outputs, count: count)
        let y = test.run(sum.kernel)
        for row in 0..<rows {
          for (d, expected) in test.expected(row).enumerated() {
            let found = Double(y[row * outputs + d])
            #expect(abs(found - expected) <= 1e-5, "\(outputs) outputs, \(count) columns, row \(row), \(d)")
          }
        }
      }
    }
  }

  @Test(arguments: kernels) func aRowHasTheSameBitsAlone(_ sum: Sum) {
    let test = Case(sum.format, rows: 5, outputs: 1000, count: 43)
    let whole = test.run(sum.kernel)
    for row in 0..<5 {
      #expect(test.run(sum.kernel, row: row) == Array(whole[row * 1000..<(row + 1) * 1000]))
    }
  }

  /// Pieces of the list are added up by themselves: what lies outside is not read.
  @Test(arguments: kernels) func aPieceIsTheListCutShort(_ sum: Sum) {
    var test = Case(sum.format, rows: 2, outputs: 70, count: 40)
    let part = test.run(sum.kernel, places: 9..<31)
    test.p = (0..<2).flatMap { row in test.p[row * 40 + 9..<row * 40 + 31] }
    test.list = Array(test.list[9..<31])
    #expect(test.run(sum.kernel) == part)
  }

  @Test(arguments: kernels) func columnsOfWeightZeroChangeNothing(_ sum: Sum) {
    var test = Case(sum.format, rows: 1, outputs: 300, count: 19)
    for place in [0, 3, 4, 8, 17] { test.p[place] = 0 }
    let y = test.run(sum.kernel)
    let kept = test.list.indices.filter { test.p[$0] != 0 }
    (test.list, test.p) = (kept.map { test.list[$0] }, kept.map { test.p[$0] })
    #expect(test.run(sum.kernel) == y)
  }
}
