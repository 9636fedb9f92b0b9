import CKernels
import Tensors
import Testing

@testable import Kernels

struct WeightedRowsKernelTests {
  static let kernels = MicroKernel.runnable("weighted_rows_q8b32")

  /// Rows of q8b32, a list of them, and weights.
  struct Case {
    let rows: Int, columns: Int
    var list: [Int32]
    var p: [Float]
    let w: [UInt8]
    let rowBytes: Int

    init(rows: Int, columns: Int, count: Int, p: [Float]? = nil) {
      var random = Random(UInt64(rows * 1_000_000 + columns * 1000 + count))
      let rowBytes = BlockFormat.q8b32.rowBytes(columns)
      let available = 2 * count + 1
      var w = [UInt8](repeating: 0, count: available * rowBytes)
      w.withUnsafeMutableBytes { bytes in
        for row in 0..<available {
          BlockFormat.q8b32.encode(
            random.floats(columns), columns: columns, into: bytes.baseAddress! + row * rowBytes)
        }
      }
      (self.rows, self.columns, self.rowBytes) = (rows, columns, rowBytes)
      self.w = w
      list = (0..<count).map { Int32($0 * 7 % available) }
      self.p = p ?? random.floats(rows * count)
    }

    /// - Parameter chunks: what is computed, in chunks of 8 blocks; all when nil.
    func run(_ kernel: MicroKernel, chunks: Range<Int>? = nil, row: Int? = nil) -> [Float] {
      let blocks = (columns + 31) / 32
      let (b0, b1) = chunks.map { ($0.lowerBound * 8, min($0.upperBound * 8, blocks)) } ?? (0, blocks)
      let count = row == nil ? rows : 1
      let y = GuardedBuffer(count: count * columns)
      let sums = GuardedBuffer(count: count * (b1 - b0) * 32)
      let weights = GuardedBuffer(row.map { Array(p[$0 * list.count..<($0 + 1) * list.count]) } ?? p)
      let bytes = GuardedBuffer(w.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) })
      withExtendedLifetime((weights, bytes, sums)) {
        list.withUnsafeBufferPointer { list in
          // An empty list has no address.
          var none: Int32 = 0
          withUnsafePointer(to: &none) { none in
            var call = ck_weighted_rows(
              rows: count, count: list.count, columns: columns, b0: b0, b1: b1,
              list: list.baseAddress ?? none, w: UnsafeRawPointer(bytes.base), p: weights.base, y: y.base,
              sums: sums.base, w_stride: rowBytes, p_stride: list.count, y_stride: columns,
              sums_stride: (b1 - b0) * 32)
            kernel.pointer(as: MicroKernelType.WeightedRows.self)(&call)
          }
        }
      }
      return y.values
    }

    func expected(_ row: Int) -> [Double] {
      var sum = [Double](repeating: 0, count: columns)
      var numbers = [Float](repeating: 0, count: columns)
      for (place, index) in list.enumerated() {
        w.withUnsafeBytes {
          BlockFormat.q8b32.decode($0.baseAddress! + Int(index) * rowBytes, columns: columns, into: &numbers)
        }
        for d in 0..<columns { sum[d] += Double(p[row * list.count + place]) * Double(numbers[d]) }
      }
      return sum
    }
  }

  @Test(arguments: kernels) func sumsAreThoseOfTheDefinition(kernel: MicroKernel) {
    for columns in [1, 31, 32, 33, 64, 96, 255, 256, 257, 480, 640] {
      for (rows, count) in [(1, 0), (1, 1), (2, 3), (1, 4), (3, 13), (16, 8)] {
        let test = Case(rows: rows, columns: columns, count: count)
        let y = test.run(kernel)
        for row in 0..<rows {
          for (d, expected) in test.expected(row).enumerated() {
            let found = Double(y[row * columns + d])
            #expect(abs(found - expected) <= 1e-5, "\(columns) columns, \(count) rows, row \(row), \(d)")
          }
        }
      }
    }
  }

  @Test(arguments: kernels) func aRowHasTheSameBitsAloneAndInPieces(kernel: MicroKernel) {
    let test = Case(rows: 5, columns: 1000, count: 11)
    let whole = test.run(kernel)
    for row in 0..<5 { #expect(test.run(kernel, row: row) == Array(whole[row * 1000..<(row + 1) * 1000])) }
    for chunk in 0..<4 {
      let part = test.run(kernel, chunks: chunk..<chunk + 1)
      for index in part.indices {
        let isInside = (chunk * 256..<chunk * 256 + 256).contains(index % 1000)
        #expect(isInside ? part[index] == whole[index] : part[index].isNaN)
      }
    }
  }

  @Test(arguments: kernels) func rowsOfWeightZeroChangeNothing(kernel: MicroKernel) {
    var test = Case(rows: 1, columns: 300, count: 9)
    for place in [0, 3, 4, 8] { test.p[place] = 0 }
    let y = test.run(kernel)
    let kept = test.list.indices.filter { test.p[$0] != 0 }
    (test.list, test.p) = (kept.map { test.list[$0] }, kept.map { test.p[$0] })
    #expect(test.run(kernel) == y)
  }
}
