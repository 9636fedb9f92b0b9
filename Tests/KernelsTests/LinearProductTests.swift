import Tensors
import Testing

@testable import Kernels

struct LinearProductTests {
  private func product(
    rows: Int, inner: Int, columns: Int, isTransposed: Bool, threads: Int, x: [Float], w: [Float],
    bias: [Float]
  ) -> [Float] {
    var y = [Float](repeating: .nan, count: rows * columns)
    let pool = ThreadPool(threadCount: threads)
    y.withUnsafeMutableBufferPointer { y in
      LinearProduct(
        rows: rows, inner: inner, columns: columns, x: x, w: w, bias: bias, y: y.baseAddress!,
        isTransposed: isTransposed
      ).run(pool)
    }
    return y
  }

  @Test(arguments: [false, true])
  func bitsDependOnNeitherRowsNorThreads(isTransposed: Bool) {
    let (inner, columns) = (200, 411)
    var random = Random(7)
    let (x, w, bias) = (random.floats(16 * inner), random.floats(inner * columns), random.floats(columns))
    let single = (0..<16).flatMap { row in
      product(
        rows: 1, inner: inner, columns: columns, isTransposed: isTransposed, threads: 1,
        x: Array(x[row * inner..<(row + 1) * inner]), w: w, bias: bias)
    }
    for rows in 1...16 {
      for threads in 1...4 {
        let y = product(
          rows: rows, inner: inner, columns: columns, isTransposed: isTransposed, threads: threads, x: x,
          w: w,
          bias: bias)
        #expect(y.bits == single[..<(rows * columns)].bits, "rows \(rows) threads \(threads)")
      }
    }
  }

  @Test(arguments: [false, true])
  func manyRowsAgreeWithTheSumInDouble(isTransposed: Bool) {
    let (rows, inner, columns) = (300, 33, 530)
    var random = Random(8)
    let (x, w, bias) = (random.floats(rows * inner), random.floats(inner * columns), random.floats(columns))
    let y = (1...4).map { threads in
      product(
        rows: rows, inner: inner, columns: columns, isTransposed: isTransposed, threads: threads, x: x, w: w,
        bias: bias)
    }
    for other in y.dropFirst() { #expect(other.bits == y[0].bits) }
    for index in stride(from: 0, to: y[0].count, by: 13) {
      let (s, n) = (index / columns, index % columns)
      var sum = Double(bias[n])
      for k in 0..<inner {
        let weight = isTransposed ? w[k * columns + n] : w[n * inner + k]
        sum += Double(x[s * inner + k]) * Double(weight)
      }
      #expect((Double(y[0][index]) - sum).magnitude < 1e-5)
    }
  }
}
