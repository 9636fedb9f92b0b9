import CKernels
import Tensors
import Testing

@testable import Kernels

/// Every kernel beside the portable one of its family. The families are those of `kernels.def`: a new one has
/// a line in `runs`, or fails here by name.
struct PortableDefinitionTests {
  /// 1, primes, and both sides of tiles of 8, 16, 32, 64 and 128.
  private static let sizes = [
    1, 2, 3, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 61, 63, 64, 65, 127, 128, 129, 257,
  ]

  /// What a kernel is run on, always the same for a size.
  struct Input {
    let size: Int
    let hasSpecialValues: Bool
    /// Buffers begin at a page, not end at one, which is another alignment for odd sizes.
    let startsAtPage: Bool
    /// From 1 to 16.
    var rows: Int { size % 16 + 1 }

    func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
      var random = Random(seed &+ UInt64(size))
      var values = random.floats(count)
      guard hasSpecialValues else { return values }
      let specials: [Float] = [.nan, .infinity, -.infinity, -0.0, 0, .leastNonzeroMagnitude]
      for index in stride(from: Int.random(in: 0..<7, using: &random), to: count, by: 7) {
        values[index] = specials.randomElement(using: &random)!
      }
      return values
    }

    /// Numbers between pages that nothing may touch.
    func buffer(_ values: [Float]) -> GuardedBuffer { GuardedBuffer(values, startsAtPage: startsAtPage) }
  }

  private typealias Run = @Sendable (MicroKernel, Input) -> [Float]

  private static let runs: [String: Run] = {
    var runs: [String: Run] = [
      "linear_f32": linear, "linear_bf16": linearBF16, "linear_f16": linearF16,
      "weighted_sum_f32": weightedSum, "weighted_sum_f16": weightedSumF16,
      "narrow_f16": { kernel, input in
        let x = input.buffer(input.numbers(input.size, 1).map { $0 * 70_000 })
        let y = GuardedHalves(count: input.size, startsAtPage: input.startsAtPage)
        withExtendedLifetime(x) {
          kernel.pointer(as: MicroKernelType.Narrow.self)(input.size, x.base, y.base)
        }
        return y.values.map { Float($0) }
      },
      "quantize_rows_f32": { kernel, input in
        BlockKernelTests.quantized(input.numbers(3 * input.size, 1), inner: input.size, kernel).map {
          Float($0)
        }
      },
      "max_f32": { kernel, input in
        // Which of a NaN and a number is larger is not said.
        let x = input.buffer(input.numbers(input.size, 1).map { $0.isNaN ? 0.5 : $0 })
        return withExtendedLifetime(x) {
          [kernel.pointer(as: MicroKernelType.Maximum.self)(input.size, x.base)]
        }
      },
      "exp_sum_f32": { kernel, input in
        row(input) { x, y in
          [kernel.pointer(as: MicroKernelType.ExpSum.self)(input.size, x, 0.25, y)]
        }
      },
      "scale_f32": { kernel, input in
        row(input) { x, y in
          kernel.pointer(as: MicroKernelType.Scale.self)(input.size, x, 0.3, y)
          return []
        }
      },
      "rms_norm_f32": { kernel, input in
        let weight = input.buffer(input.numbers(input.size, 2))
        return row(input) { x, y in
          withExtendedLifetime(weight) {
            kernel.pointer(as: MicroKernelType.RMSNorm.self)(input.size, x, weight.base, 1e-6, y)
          }
          return []
        }
      },
      "select_f32": { kernel, input in
        SelectKernelTests.select(input.numbers(input.size, 1), (input.size + 1) / 2, kernel).map { Float($0) }
      },
    ]
    for function in VectorMathTests.functions {
      runs[function.family] = { kernel, input in
        row(input) { x, y in
          kernel.pointer(as: MicroKernelType.Map.self)(input.size, x, y)
          return []
        }
      }
    }
    for format in BlockKernelTests.formats {
      runs["linear_\(format)"] = { kernel, input in
        BlockKernelTests.Case(
          format, rows: input.rows, inner: input.size, columns: 7,
          x: input.numbers(input.rows * input.size, 1)
        ).run(kernel, startsAtPage: input.startsAtPage)
      }
    }
    for format in BlockColumns.formats {
      runs["weighted_rows_\(format)"] = { kernel, input in
        let count = input.size % 11
        return WeightedRowsKernelTests.Case(
          format, rows: input.rows, outputs: input.size, count: count, p: input.numbers(input.rows * count, 1)
        ).run(kernel)
      }
    }
    for bits in [4, 8] {
      runs["scan_u\(bits)"] = { kernel, input in
        ScanKernelTests.Case(
          bits: bits, rank: (input.size + 7) / 8 * 8, panels: 3, rows: input.rows % 4 + 1,
          isExtreme: input.hasSpecialValues
        ).run(kernel)
      }
    }
    return runs
  }()

  @Test(arguments: MicroKernel.families)
  func kernelsAgreeWithThePortableOne(_ family: String) throws {
    let run = try #require(Self.runs[family], "'\(family)' has no line in the runs of this test")
    let kernels = MicroKernel.runnable(family)
    for size in Self.sizes {
      for (special, atPage) in [(false, false), (false, true), (true, false)] {
        let input = Input(size: size, hasSpecialValues: special, startsAtPage: atPage)
        let expected = run(kernels[0], input)
        for kernel in kernels.dropFirst() {
          let found = run(kernel, input)
          try #require(found.count == expected.count)
          let wrong = found.indices.first { !Self.agree(found[$0], expected[$0], size) }
          #expect(
            wrong == nil,
            """
            \(kernel), size \(size)\(special ? ", special values" : ""): \(wrong.map { found[$0] } ?? 0) at \
            \(wrong ?? 0), portable \(wrong.map { expected[$0] } ?? 0)
            """)
        }
      }
    }
  }

  /// Sums of `size` products of numbers up to 1, rounded in any order.
  private static func agree(_ a: Float, _ b: Float, _ size: Int) -> Bool {
    if a.isNaN || b.isNaN { return a.isNaN && b.isNaN }
    return a == b || (a - b).magnitude <= 1e-6 * (Float(size) / 16 + 2) * max(1, b.magnitude)
  }

  // MARK: Calls

  /// One row to another, and what is returned besides.
  private static func row(
    _ input: Input, _ body: (UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> [Float]
  ) -> [Float] {
    let (x, y) = (input.buffer(input.numbers(input.size, 1)), GuardedBuffer(count: input.size))
    let more = withExtendedLifetime(x) { body(x.base, y.base) }
    return y.values + more
  }

  private static let columns = 19

  @Sendable private static func linear(_ kernel: MicroKernel, _ input: Input) -> [Float] {
    let (k, n) = (input.size, columns)
    let (x, w) = (input.buffer(input.numbers(input.rows * k, 1)), input.buffer(input.numbers(n * k, 2)))
    let y = GuardedBuffer(count: input.rows * n)
    var call = ck_linear_f32(
      rows: input.rows, inner: k, n0: 0, n1: n, x: x.base, w: w.base, bias: nil, y: y.base, x_stride: k,
      w_stride: k, y_stride: n)
    withExtendedLifetime((x, w)) { kernel.pointer(as: MicroKernelType.Linear.self)(&call) }
    return y.values
  }

  @Sendable private static func linearBF16(_ kernel: MicroKernel, _ input: Input) -> [Float] {
    let (k, n) = (input.size, columns)
    let stride = BlockFormat.bf16.rowBytes(k) / 2
    let numbers = input.numbers(n * stride, 2)
    let w = numbers.indices.map { $0 % stride < k ? NumberCoding.bf16(numbers[$0]) : 0 }
    let x = input.buffer(input.numbers(input.rows * k, 1))
    let y = GuardedBuffer(count: input.rows * n)
    w.withUnsafeBufferPointer { w in
      var call = ck_linear_bf16(
        rows: input.rows, inner: k, n0: 0, n1: n, x: x.base, w: w.baseAddress!, bias: nil, y: y.base,
        x_stride: k, w_stride: stride, y_stride: n)
      withExtendedLifetime(x) { kernel.pointer(as: MicroKernelType.LinearBF16.self)(&call) }
    }
    return y.values
  }

  @Sendable private static func linearF16(_ kernel: MicroKernel, _ input: Input) -> [Float] {
    let (k, n) = (input.size, columns)
    let w = GuardedHalves(input.numbers(n * k, 2).map { Float16($0) }, startsAtPage: input.startsAtPage)
    let x = input.buffer(input.numbers(input.rows * k, 1))
    let y = GuardedBuffer(count: input.rows * n)
    var call = ck_linear_f16(
      rows: input.rows, inner: k, n0: 0, n1: n, x: x.base, w: w.base, bias: nil, y: y.base, x_stride: k,
      w_stride: k, y_stride: n)
    withExtendedLifetime((x, w)) { kernel.pointer(as: MicroKernelType.LinearF16.self)(&call) }
    return y.values
  }

  @Sendable private static func weightedSumF16(_ kernel: MicroKernel, _ input: Input) -> [Float] {
    let (t, d) = (input.size, columns)
    let v = GuardedHalves(input.numbers(t * d, 2).map { Float16($0) }, startsAtPage: input.startsAtPage)
    let p = input.buffer(input.numbers(input.rows * t, 1))
    let y = GuardedBuffer(count: input.rows * d)
    var call = ck_weighted_sum_f16(
      rows: input.rows, inner: t, columns: d, p: p.base, v: v.base, y: y.base, p_stride: t, v_stride: d,
      y_stride: d, adds: false)
    withExtendedLifetime((p, v)) { kernel.pointer(as: MicroKernelType.WeightedSumF16.self)(&call) }
    return y.values
  }

  @Sendable private static func weightedSum(_ kernel: MicroKernel, _ input: Input) -> [Float] {
    let (t, d) = (input.size, columns)
    let (p, v) = (input.buffer(input.numbers(input.rows * t, 1)), input.buffer(input.numbers(t * d, 2)))
    let y = GuardedBuffer(count: input.rows * d)
    var call = ck_weighted_sum_f32(
      rows: input.rows, inner: t, columns: d, p: p.base, v: v.base, y: y.base, p_stride: t, v_stride: d,
      y_stride: d, adds: false)
    withExtendedLifetime((p, v)) { kernel.pointer(as: MicroKernelType.WeightedSum.self)(&call) }
    return y.values
  }
}
