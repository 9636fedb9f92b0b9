import CKernels
import Foundation
import Testing

@testable import Kernels

struct RowKernelTests {
  static let counts = [1, 2, 7, 15, 16, 17, 31, 33, 63, 64, 65, 127, 640, 2048, 2053]

  @Test(arguments: MicroKernel.runnable("max_f32"))
  func maximum(kernel: MicroKernel) {
    let maximum = kernel.pointer(as: MicroKernelType.Maximum.self)
    var random = Random(1)
    for count in Self.counts {
      var values = random.floats(count, in: -9 ... -1)
      for index in Set([0, count / 2, count - 1]) {
        values[index] = -0.5
        let x = GuardedBuffer(values)
        #expect(withExtendedLifetime(x) { maximum(count, x.base) } == -0.5)
        values[index] = -1
      }
    }
    #expect(maximum(0, []) == -.infinity)
  }

  @Test(arguments: MicroKernel.runnable("exp_sum_f32"))
  func exponentialsAndTheirSum(kernel: MicroKernel) {
    var random = Random(2)
    for count in Self.counts {
      let values = random.floats(count, in: -20...0)
      let (x, y) = (GuardedBuffer(values), GuardedBuffer(count: count))
      let sum = withExtendedLifetime(x) {
        kernel.pointer(as: MicroKernelType.ExpSum.self)(count, x.base, 0.25, y.base)
      }
      var exact = 0.0
      for (x, y) in zip(values, y.values) {
        let e = exp(Double(x - 0.25))
        #expect((Double(y) - e).magnitude <= 1.25 * Double(Float(e).ulp))
        exact += e
      }
      #expect((Double(sum) - exact).magnitude <= exact * Double(count / 16 + 8) * 0x1p-23)
    }
  }

  @Test(arguments: MicroKernel.runnable("scale_f32"))
  func scale(kernel: MicroKernel) {
    var random = Random(3)
    for count in Self.counts {
      let values = random.floats(count)
      let x = GuardedBuffer(values)
      kernel.pointer(as: MicroKernelType.Scale.self)(count, x.base, 0.3, x.base)
      #expect(x.values == values.map { $0 * 0.3 })
    }
  }

  @Test(arguments: MicroKernel.runnable("rms_norm_f32"))
  func rmsNorm(kernel: MicroKernel) {
    let norm = kernel.pointer(as: MicroKernelType.RMSNorm.self)
    var random = Random(4)
    for count in Self.counts {
      let (values, weights) = (random.floats(count, in: -3...3), random.floats(count))
      let (x, w) = (GuardedBuffer(values), GuardedBuffer(weights))
      let (y, plain) = (GuardedBuffer(count: count), GuardedBuffer(count: count))
      withExtendedLifetime((x, w)) {
        norm(count, x.base, w.base, 1e-6, y.base)
        norm(count, x.base, nil, 1e-6, plain.base)
      }
      let squares = values.reduce(0.0) { $0 + Double($1) * Double($1) }
      let factor = 1 / (squares / Double(count) + 1e-6).squareRoot()
      for index in 0..<count {
        let exact = Double(values[index]) * factor
        #expect((Double(plain.values[index]) - exact).magnitude <= exact.magnitude * 1e-6)
        #expect(
          (Double(y.values[index]) - exact * Double(weights[index])).magnitude <= exact.magnitude * 1e-6)
      }
    }
  }

  @Test(arguments: MicroKernel.runnable("weighted_sum_f32"))
  func weightedSums(kernel: MicroKernel) {
    let run = kernel.pointer(as: MicroKernelType.WeightedSum.self)
    var random = Random(5)
    for (inner, columns) in [(0, 5), (1, 16), (3, 33), (9, 64), (17, 65), (40, 256), (23, 15)] {
      let (weights, values) = (random.floats(16 * inner), random.floats(inner * columns))
      let (p, v) = (GuardedBuffer(weights), GuardedBuffer(values))
      func sums(_ rows: Range<Int>, parts: [Int] = []) -> [Float] {
        let y = GuardedBuffer(count: rows.count * columns)
        for (start, end) in zip([0] + parts, parts + [inner]) {
          var call = ck_weighted_sum_f32(
            rows: rows.count, inner: end - start, columns: columns,
            p: p.base + rows.lowerBound * inner + start, v: v.base + start * columns, y: y.base,
            p_stride: inner, v_stride: columns, y_stride: columns, adds: start > 0)
          withExtendedLifetime((p, v)) { run(&call) }
        }
        return y.values
      }
      let all = sums(0..<16)
      if inner > 2 { #expect(sums(0..<16, parts: [1, inner / 2 + 1]).bits == all.bits) }
      for rows in 1...16 { #expect(sums(16 - rows..<16).bits == all[((16 - rows) * columns)...].bits) }
      for index in all.indices {
        let (s, d) = (index / columns, index % columns)
        let exact = (0..<inner).reduce(0.0) {
          $0 + Double(weights[s * inner + $1]) * Double(values[$1 * columns + d])
        }
        #expect((Double(all[index]) - exact).magnitude < 1e-5)
      }
    }
  }

  @Test func softmaxRowsSumToOne() {
    var random = Random(6)
    for count in Self.counts {
      var row = random.floats(count, in: -30...30)
      row.withUnsafeMutableBufferPointer {
        VectorMath.best.softmax($0.baseAddress!, $0.baseAddress!, count: count)
      }
      #expect((row.reduce(0.0) { $0 + Double($1) } - 1).magnitude < 1e-6)
    }
  }
}
