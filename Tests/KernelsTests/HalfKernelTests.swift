import CKernels
import Foundation
import Testing

@testable import Kernels

/// Numbers in f16 between two pages that may not be touched.
final class GuardedHalves {
  private let floats: GuardedBuffer
  private let count: Int
  let base: UnsafeMutablePointer<ck_f16>

  init(_ values: [Float16], startsAtPage: Bool = false) {
    count = values.count
    floats = GuardedBuffer([Float](repeating: 0, count: (count + 1) / 2), startsAtPage: startsAtPage)
    // An odd number of them ends at the upper page, too.
    let offset = startsAtPage ? 0 : count % 2 * 2
    base = (UnsafeMutableRawPointer(floats.base) + offset).assumingMemoryBound(to: ck_f16.self)
    for (index, value) in values.enumerated() { base[index].bits = value.bitPattern }
  }

  convenience init(count: Int, startsAtPage: Bool = false) {
    self.init([Float16](repeating: .nan, count: count), startsAtPage: startsAtPage)
  }

  var values: [Float16] { (0..<count).map { Float16(bitPattern: base[$0].bits) } }
}

/// Kernels that read and write f16.
struct HalfKernelTests {
  private func narrowed(_ x: [Float], _ kernel: MicroKernel) -> [Float16] {
    let (from, to) = (GuardedBuffer(x), GuardedHalves(count: x.count))
    let narrow = kernel.pointer(as: MicroKernelType.Narrow.self)
    withExtendedLifetime(from) { narrow(x.count, from.base, to.base) }
    return to.values
  }

  /// Every f16, what lies half-way to the next one, and both neighbours of that.
  @Test(arguments: MicroKernel.runnable("narrow_f16"))
  func roundsToNearestWithTiesToEven(kernel: MicroKernel) {
    var x: [Float] = []
    for bits in UInt16(0)..<0x7C00 {
      let (value, next) = (Float(Float16(bitPattern: bits)), Float(Float16(bitPattern: bits).nextUp))
      let middle = next.isInfinite ? 65503.99 : (value + next) / 2
      for number in [value, middle.nextDown, middle, middle.nextUp] { x += [number, -number] }
    }
    let y = narrowed(x, kernel)
    let wrong = x.indices.first { y[$0].bitPattern != Float16(x[$0]).bitPattern }
    #expect(wrong == nil, "\(kernel): \(wrong.map { "\(x[$0]) is \(y[$0])" } ?? "")")
  }

  @Test(arguments: MicroKernel.runnable("narrow_f16"))
  func numbersBeyondTheRangeBecomeItsEnd(kernel: MicroKernel) {
    let most = Float16.greatestFiniteMagnitude
    let large: [Float] = [65504, 65504.004, 65519, 65520, 65536, 1e30, .greatestFiniteMagnitude, .infinity]
    for position in 0..<17 {
      for number in large {
        var x = [Float](repeating: 1, count: 17)
        (x[position], x[(position + 5) % 17]) = (number, -number)
        x[(position + 9) % 17] = .nan
        let y = narrowed(x, kernel)
        #expect(y[position] == most && y[(position + 5) % 17] == -most && y[(position + 9) % 17].isNaN)
        #expect(y.count { $0 == 1 } == 14)
      }
    }
    #expect(narrowed([-0.0, 0x1p-26, -0x1p-25], kernel).map(\.bitPattern) == [0x8000, 0, 0x8000])
  }

  /// What a kernel makes of f16 are the bits that the one for f32 makes of the same numbers.
  @Test(arguments: MicroKernel.runnable("linear_f16").map(\.isa))
  func bitsAreThoseOnWidenedNumbers(_ isa: String) throws {
    func kernel(_ family: String) throws -> MicroKernel {
      try #require(MicroKernel.runnable(family).first { $0.isa == isa })
    }
    let (linear, linearF16) = (try kernel("linear_f32"), try kernel("linear_f16"))
    let (sum, sumF16) = (try kernel("weighted_sum_f32"), try kernel("weighted_sum_f16"))
    var random = Random(8)
    for size in [1, 7, 16, 33, 64, 80, 129, 256] {
      let halves = random.floats(23 * size).map { Float16($0) }
      let (narrow, wide) = (GuardedHalves(halves), GuardedBuffer(halves.map { Float($0) }))
      let x = GuardedBuffer(random.floats(16 * max(size, 23)))
      for rows in 1...16 {
        let (a, b) = (GuardedBuffer(count: rows * 23), GuardedBuffer(count: rows * 23))
        var product = ck_linear_f32(
          rows: rows, inner: size, n0: 0, n1: 23, x: x.base, w: wide.base, bias: nil, y: a.base,
          x_stride: size, w_stride: size, y_stride: 23)
        var productF16 = ck_linear_f16(
          rows: rows, inner: size, n0: 0, n1: 23, x: x.base, w: narrow.base, bias: nil, y: b.base,
          x_stride: size, w_stride: size, y_stride: 23)
        linear.pointer(as: MicroKernelType.Linear.self)(&product)
        linearF16.pointer(as: MicroKernelType.LinearF16.self)(&productF16)
        #expect(a.values.bits == b.values.bits, "product, S \(rows) K \(size)")

        let (c, d) = (GuardedBuffer(count: rows * size), GuardedBuffer(count: rows * size))
        for (start, count) in [(0, 9), (9, 14)] {
          var first = ck_weighted_sum_f32(
            rows: rows, inner: count, columns: size, p: x.base + start, v: wide.base + start * size,
            y: c.base, p_stride: 23, v_stride: size, y_stride: size, adds: start > 0)
          var second = ck_weighted_sum_f16(
            rows: rows, inner: count, columns: size, p: x.base + start, v: narrow.base + start * size,
            y: d.base, p_stride: 23, v_stride: size, y_stride: size, adds: start > 0)
          sum.pointer(as: MicroKernelType.WeightedSum.self)(&first)
          sumF16.pointer(as: MicroKernelType.WeightedSumF16.self)(&second)
        }
        #expect(c.values.bits == d.values.bits, "sum, S \(rows) D \(size)")
      }
      withExtendedLifetime((x, narrow, wide)) {}
    }
  }
}
