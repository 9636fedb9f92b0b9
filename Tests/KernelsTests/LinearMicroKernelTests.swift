import CKernels
import Testing

@testable import Kernels

struct LinearMicroKernelTests {
  /// Random operands with rows `padding` elements apart, which are NaN where nothing may be read.
  struct Case {
    let rows: Int, inner: Int, columns: Int
    let xValues: [Float], wValues: [Float], bias: [Float]
    let x: GuardedBuffer, w: GuardedBuffer, b: GuardedBuffer
    let padding: Int

    init(rows: Int, inner: Int, columns: Int, padding: Int = 0, startsAtPage: Bool = false) {
      var random = Random(UInt64(rows * 1_000_003 + inner * 1009 + columns))
      (self.rows, self.inner, self.columns, self.padding) = (rows, inner, columns, padding)
      xValues = random.floats(rows * inner)
      wValues = random.floats(columns * inner)
      bias = random.floats(columns)
      x = GuardedBuffer(Self.padded(xValues, inner, padding), startsAtPage: startsAtPage)
      w = GuardedBuffer(Self.padded(wValues, inner, padding), startsAtPage: startsAtPage)
      b = GuardedBuffer(bias, startsAtPage: startsAtPage)
    }

    private static func padded(_ values: [Float], _ inner: Int, _ padding: Int) -> [Float] {
      var result: [Float] = []
      for start in stride(from: 0, to: values.count, by: inner) {
        if start > 0 { result += [Float](repeating: .nan, count: padding) }
        result += values[start..<start + inner]
      }
      return result
    }

    func run(
      _ kernel: MicroKernel, rows range: Range<Int>? = nil, columns n: Range<Int>? = nil,
      bias withBias: Bool = true
    ) -> [Float] {
      let range = range ?? 0..<rows
      let n = n ?? 0..<columns
      let y = GuardedBuffer(count: rows * columns)
      var call = ck_linear_f32(
        rows: range.count, inner: inner, n0: n.lowerBound, n1: n.upperBound,
        x: x.base + range.lowerBound * (inner + padding), w: w.base,
        bias: withBias ? UnsafePointer(b.base) : nil,
        y: y.base + range.lowerBound * columns, x_stride: inner + padding, w_stride: inner + padding,
        y_stride: columns)
      withExtendedLifetime((x, w, b)) { kernel.pointer(as: MicroKernelType.Linear.self)(&call) }
      return y.values
    }

    /// The result and the bound within which any order of summation in f32 must stay.
    func expected(_ s: Int, _ n: Int) -> (value: Double, bound: Double) {
      var (sum, size) = (Double(bias[n]), Double(bias[n].magnitude))
      for k in 0..<inner {
        let product = Double(xValues[s * inner + k]) * Double(wValues[n * inner + k])
        sum += product
        size += product.magnitude
      }
      return (sum, size * Double(inner / 16 + 8) * 0x1p-24)
    }
  }

  @Test(arguments: MicroKernel.runnable("linear_f32"))
  func agreesWithTheSumInDouble(kernel: MicroKernel) {
    for inner in [1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 127, 640] {
      for columns in [1, 2, 3, 4, 5, 7, 13] {
        for rows in [1, 2, 3, 5, 6, 7, 16] {
          let test = Case(
            rows: rows, inner: inner, columns: columns, padding: columns % 2, startsAtPage: rows == 2)
          let y = test.run(kernel)
          for index in y.indices {
            let (value, bound) = test.expected(index / columns, index % columns)
            #expect(
              (Double(y[index]) - value).magnitude <= bound, "S \(rows) K \(inner) N \(columns) at \(index)")
          }
        }
      }
    }
  }

  @Test(arguments: MicroKernel.runnable("linear_f32"))
  func bitsDependOnNeitherRowsNorRange(kernel: MicroKernel) {
    for inner in [19, 64, 645] {
      let test = Case(rows: 16, inner: inner, columns: 14, padding: 3)
      let all = test.run(kernel)
      for rows in 1...16 {
        for first in [0, 16 - rows] {
          let part = test.run(kernel, rows: first..<first + rows)
          let range = first * 14..<(first + rows) * 14
          #expect(part[range].bits == all[range].bits)
        }
      }
      for n in [0..<1, 1..<6, 5..<14, 7..<7] {
        let part = test.run(kernel, columns: n)
        for index in part.indices {
          if n.contains(index % 14) {
            #expect(part[index].bitPattern == all[index].bitPattern)
          } else {
            #expect(part[index].isNaN, "column \(index % 14) is outside \(n)")
          }
        }
      }
    }
  }

  @Test(.enabled(if: MicroKernel.fused("linear_f32").count > 1, "needs two instruction sets"))
  func kernelsWithFusedMultiplyAddAgreeBitForBit() {
    let test = Case(rows: 16, inner: 333, columns: 11)
    #expect(Set(MicroKernel.fused("linear_f32").map { test.run($0).bits }).count == 1)
  }

  @Test(arguments: MicroKernel.runnable("linear_f32"))
  func aMissingBiasIsZero(kernel: MicroKernel) {
    let test = Case(rows: 2, inner: 40, columns: 5)
    let (with, without) = (test.run(kernel), test.run(kernel, bias: false))
    for index in with.indices { #expect(with[index] == without[index] + test.bias[index % 5]) }
  }
}
