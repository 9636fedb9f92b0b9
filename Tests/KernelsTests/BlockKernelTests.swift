import CKernels
import Tensors
import Testing

@testable import Kernels

/// Bytes between two pages that may not be touched.
private final class GuardedBytes {
  private let floats: GuardedBuffer
  let base: UnsafeMutableRawPointer

  /// The bytes end at the upper page, or begin at the lower one.
  init(_ bytes: [UInt8], startsAtPage: Bool = false) {
    precondition(bytes.count % 4 == 0, "rows are whole words")
    floats = GuardedBuffer([Float](repeating: 0, count: bytes.count / 4), startsAtPage: startsAtPage)
    base = UnsafeMutableRawPointer(floats.base)
    base.copyMemory(from: bytes, byteCount: bytes.count)
  }
}

struct BlockKernelTests {
  static let formats: [BlockFormat] = [.q8b32, .q6b16, .q5b32, .q4b32, .q8n32, .q4n32]
  static let kernels: [MicroKernel] = formats.flatMap { MicroKernel.runnable("linear_\($0)") }
  /// Every chunk by itself, with its neighbours, full and not.
  static let depths = [1, 31, 32, 33, 64, 95, 128, 160, 224, 255, 256, 257, 480, 640, 1009]

  /// Rows of activations as `quantize_rows` stores them.
  static func quantized(_ x: [Float], inner: Int, _ kernel: MicroKernel? = nil) -> [UInt8] {
    let rows = x.count / inner
    let stride = ck_quantized_row_bytes(inner)
    var q = [UInt8](repeating: 0xAA, count: rows * stride)
    let input = GuardedBuffer(x)
    q.withUnsafeMutableBytes { q in
      var call = ck_quantize_rows_f32(
        rows: rows, inner: inner, x: input.base, q: q.baseAddress!, x_stride: inner, q_stride: stride)
      let kernel = kernel ?? MicroKernel.best("quantize_rows_f32")
      withExtendedLifetime(input) { kernel.pointer(as: MicroKernelType.QuantizeRows.self)(&call) }
    }
    return q
  }

  struct Case {
    let rows: Int, inner: Int, columns: Int
    let format: BlockFormat
    let x: [Float], bias: [Float], weights: [UInt8]

    /// - Parameters:
    ///   - isExtreme: activations and weights at the ends of what their codes hold, blocks of zeros, and scales
    ///     that f16 stores as subnormals.
    ///   - x: activations, where they matter.
    init(
      _ format: BlockFormat, rows: Int, inner: Int, columns: Int, isExtreme: Bool = false, x: [Float]? = nil
    ) {
      (self.format, self.rows, self.inner, self.columns) = (format, rows, inner, columns)
      var random = Random(UInt64(rows * 1_000_003 + inner * 1009 + columns))
      bias = random.floats(columns)
      func number(_ block: Int) -> Float {
        guard isExtreme else { return .random(in: -1...1, using: &random) }
        let size: Float = [1, 0, 0x1p-20, 100][block % 4]
        return Bool.random(using: &random) ? size : -size
      }
      self.x = x ?? (0..<rows * inner).map { number($0 % inner / 32) }
      let stride = format.rowBytes(inner)
      var bytes = [UInt8](repeating: 0, count: columns * stride)
      bytes.withUnsafeMutableBytes { bytes in
        for n in 0..<columns {
          let row = (0..<inner).map { number($0 / 32 + n) }
          format.encode(row, columns: inner, into: bytes.baseAddress!, row: n, of: columns)
        }
      }
      weights = bytes
    }

    func run(
      _ kernel: MicroKernel, rows range: Range<Int>? = nil, columns n: Range<Int>? = nil,
      bias withBias: Bool = true,
      startsAtPage: Bool = false
    ) -> [Float] {
      let (range, n) = (range ?? 0..<rows, n ?? 0..<columns)
      let (b, y) = (GuardedBuffer(bias), GuardedBuffer(count: rows * columns))
      let w = GuardedBytes(weights, startsAtPage: startsAtPage)
      let q = GuardedBytes(quantized(x, inner: inner), startsAtPage: startsAtPage)
      let stride = ck_quantized_row_bytes(inner)
      var call = ck_linear_blocks(
        rows: range.count, inner: inner, n0: n.lowerBound, n1: n.upperBound,
        x: q.base + range.lowerBound * stride,
        w: w.base, low: low(w.base), bias: withBias ? UnsafePointer(b.base) : nil,
        y: y.base + range.lowerBound * columns, x_stride: stride, w_stride: format.firstBytes(inner),
        y_stride: columns, list: nil)
      withExtendedLifetime((b, w, q)) { kernel.pointer(as: MicroKernelType.LinearBlocks.self)(&call) }
      return y.values
    }

    /// The plane of weights that lies apart.
    func low(_ weights: UnsafeRawPointer) -> UnsafeRawPointer? {
      format.rest(of: weights, rows: columns, columns: inner)
    }

    /// The reference product and a bound for sums of its terms in f32.
    func expected(_ s: Int, _ n: Int) -> (value: Double, bound: Double) {
      let activations = QuantizedRow(Array(x[s * inner..<(s + 1) * inner]))
      var row = [Float](repeating: 0, count: inner)
      weights.withUnsafeBytes {
        format.decode($0.baseAddress!, row: n, of: columns, columns: inner, into: &row)
      }
      let value = weights.withUnsafeBytes {
        format.dot($0.baseAddress!, row: n, of: columns, activations)
      }
      // Minima and offsets are subtracted from sums that are larger than the terms: allow for codes up to 63.
      var size = Double(bias[n].magnitude)
      for k in stride(from: 0, to: inner, by: 32) {
        let end = min(inner, k + 32)
        let largest = row[k..<end].reduce(0) { max($0, $1.magnitude) }
        size += Double(activations.scales[k / 32]) * 127 * Double(largest) * Double(end - k) * 4
      }
      return (value + Double(bias[n]), size * Double(inner / 256 + 8) * 0x1p-23)
    }
  }

  private func format(_ kernel: MicroKernel) -> BlockFormat {
    BlockFormat(rawValue: String(kernel.family.dropFirst("linear_".count)))!
  }

  @Test(arguments: kernels, [false, true])
  func agreesWithTheReferenceDot(kernel: MicroKernel, isExtreme: Bool) {
    for inner in Self.depths {
      for (rows, columns) in [(1, 5), (3, 17), (5, 1)] {
        let test = Case(format(kernel), rows: rows, inner: inner, columns: columns, isExtreme: isExtreme)
        let y = test.run(kernel, startsAtPage: rows == 3)
        for index in y.indices {
          let (value, bound) = test.expected(index / columns, index % columns)
          #expect(
            (Double(y[index]) - value).magnitude <= bound, "S \(rows) K \(inner) N \(columns) at \(index)")
        }
      }
    }
  }

  @Test(arguments: kernels)
  func bitsDependOnNeitherRowsNorRange(kernel: MicroKernel) {
    // 16 rows of 2048 are too large for the first-level cache: they go through taller tiles.
    for (inner, columns) in [(33, 19), (640, 18), (2048, 7)] {
      let test = Case(format(kernel), rows: 32, inner: inner, columns: columns)
      let all = test.run(kernel)
      for rows in [1, 2, 3, 4, 5, 7, 8, 11, 15, 16, 31] {
        for first in [0, 32 - rows] {
          let part = test.run(kernel, rows: first..<first + rows)
          let range = first * columns..<(first + rows) * columns
          #expect(part[range].bits == all[range].bits, "K \(inner) rows \(rows)")
        }
      }
      for n in [0..<1, 1..<6, 3..<columns, 7..<7] {
        let part = test.run(kernel, columns: n)
        for index in part.indices {
          if n.contains(index % columns) {
            #expect(part[index].bitPattern == all[index].bitPattern)
          } else {
            #expect(part[index].isNaN, "column \(index % columns) is outside \(n)")
          }
        }
      }
    }
  }

  @Test(arguments: kernels)
  func listedRowsHaveTheirBits(kernel: MicroKernel) {
    for (inner, columns) in [(33, 19), (256, 40), (640, 18)] {
      let test = Case(format(kernel), rows: 3, inner: inner, columns: columns)
      let all = test.run(kernel)
      let list = (0..<columns).map { Int32(($0 * 7 + 3) % columns) } + [0, 0]
      let w = GuardedBytes(test.weights), q = GuardedBytes(Self.quantized(test.x, inner: inner))
      let (bias, y) = (GuardedBuffer(test.bias), GuardedBuffer(count: list.count))
      for s in 0..<3 {
        list.withUnsafeBufferPointer { list in
          var call = ck_linear_blocks(
            rows: 1, inner: inner, n0: 1, n1: list.count, x: q.base + s * ck_quantized_row_bytes(inner),
            w: w.base, low: test.low(w.base), bias: bias.base, y: y.base, x_stride: 0,
            w_stride: test.format.firstBytes(inner), y_stride: 0, list: list.baseAddress)
          withExtendedLifetime((bias, w, q)) { kernel.pointer(as: MicroKernelType.LinearBlocks.self)(&call) }
        }
        #expect(y.values[0].isNaN, "place 0 is outside")
        #expect(y.values.dropFirst().bits == list.dropFirst().map { all[s * columns + Int($0)] }.bits)
      }
    }
  }

  @Test(
    .enabled(if: MicroKernel.fused("linear_q8b32").count > 1, "needs two instruction sets"),
    arguments: formats)
  func kernelsWithFusedMultiplyAddAgreeBitForBit(format: BlockFormat) {
    let test = Case(format, rows: 9, inner: 1000, columns: 11)
    #expect(Set(MicroKernel.fused("linear_\(format)").map { test.run($0).bits }).count == 1)
  }

  /// Nested planes hold the numbers of q8b32, and their first plane is a matrix of its own.
  @Test(arguments: MicroKernel.runnable("linear_q8b32"), [false, true])
  func nestedPlanesHaveTheBitsOfWholeCodes(kernel: MicroKernel, isExtreme: Bool) throws {
    func twin(_ format: BlockFormat) throws -> MicroKernel {
      try #require(MicroKernel.runnable("linear_\(format)").first { $0.isa == kernel.isa })
    }
    for inner in Self.depths {
      for rows in [1, 3, 16] {
        let whole = Case(.q8b32, rows: rows, inner: inner, columns: 21, isExtreme: isExtreme)
        let nested = Case(.q8n32, rows: rows, inner: inner, columns: 21, isExtreme: isExtreme)
        #expect(nested.run(try twin(.q8n32)).bits == whole.run(kernel).bits, "K \(inner) rows \(rows)")
        let high = Case(.q4n32, rows: rows, inner: inner, columns: 21, isExtreme: isExtreme)
        #expect(nested.weights.starts(with: high.weights), "K \(inner)")
      }
    }
  }

  @Test(arguments: kernels)
  func aMissingBiasIsZero(kernel: MicroKernel) {
    let test = Case(format(kernel), rows: 2, inner: 96, columns: 5)
    let (with, without) = (test.run(kernel), test.run(kernel, bias: false))
    for index in with.indices { #expect(with[index] == without[index] + test.bias[index % 5]) }
  }

  // MARK: Activations

  @Test(arguments: MicroKernel.runnable("quantize_rows_f32"))
  func activationsAreThoseOfTheDefinition(kernel: MicroKernel) {
    var random = Random(3)
    for inner in Self.depths {
      var x = random.floats(inner * 2)
      x.replaceSubrange(0..<min(32, inner), with: [Float](repeating: 0x1p-125, count: min(32, inner)))
      let bytes = Self.quantized(x, inner: inner, kernel)
      #expect(bytes == Self.quantized(x, inner: inner, MicroKernel.runnable("quantize_rows_f32")[0]))
      let expected = QuantizedRow(Array(x[inner...]))
      let row = bytes.suffix(ck_quantized_row_bytes(inner))
      // Blocks of the first chunk: its 8 scales and sums and its offsets follow its quants.
      let blocks = (inner + 31) / 32
      let count = [8, 4, 2].first { $0 <= blocks } ?? 1
      let quants = Array(row.prefix(32 * count))
      let numbers = row.dropFirst(32 * count).prefix(64).withUnsafeBytes {
        Array($0.bindMemory(to: Float.self))
      }
      let offsets = row.dropFirst(32 * count + 64).prefix(96).withUnsafeBytes {
        Array($0.bindMemory(to: Int16.self)).map(Int.init)
      }
      for b in 0..<count {
        #expect(numbers[b] == expected.scales[b])
        let block = expected.quants[b * 32..<min(inner, (b + 1) * 32)]
        for (e, quant) in block.enumerated() {
          #expect(Int8(bitPattern: quants[(e / 4 * count + b) * 4 + e % 4]) == quant, "K \(inner) block \(b)")
        }
        let lanes = stride(from: b, to: 8, by: count)
        let (whole, second) = (
          block.reduce(0) { $0 + Int($1) }, block.dropFirst(16).reduce(0) { $0 + Int($1) }
        )
        #expect(lanes.reduce(0) { $0 + numbers[8 + $1] } == Float(whole))
        func offset(_ first: Int) -> Int {
          lanes.reduce(0) { $0 + offsets[first + 2 * $1] + offsets[first + 2 * $1 + 1] }
        }
        #expect(offset(0) == -16 * whole)
        #expect(offset(16) == -32 * (whole - second))
        #expect(offset(32) == -32 * second)
      }
    }
  }

  @Test(arguments: MicroKernel.runnable("quantize_rows_f32"), [Float.nan, .infinity, -.infinity])
  func activationsThatAreNoNumbersShow(kernel: MicroKernel, value: Float) {
    var x = [Float](repeating: 1, count: 70)
    x[40] = value
    let bytes = Self.quantized(x, inner: 70, kernel)
    let scales = bytes[64..<72].withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    #expect(scales[0] == Float(1) / 127)
    #expect(!scales[1].isFinite)
    #expect(bytes == Self.quantized(x, inner: 70, MicroKernel.runnable("quantize_rows_f32")[0]))
  }
}

struct BFloat16KernelTests {
  @Test(arguments: MicroKernel.runnable("linear_bf16"))
  func bitsAreThoseOfDecodedWeights(kernel: MicroKernel) {
    var random = Random(12)
    let wide = MicroKernel.all.first { $0.family == "linear_f32" && $0.isa == kernel.isa }!
    for inner in [1, 15, 16, 17, 33, 640] {
      let (rows, columns, stride) = (7, 11, (inner + 15) / 16 * 16)
      let x = GuardedBuffer(random.floats(rows * inner))
      let w = random.floats(columns * stride).enumerated().map { index, number in
        index % stride < inner ? NumberCoding.bf16(number) : 0
      }
      let decoded = w.map { NumberCoding.float(bf16: $0) }
      let (y, expected) = (GuardedBuffer(count: rows * columns), GuardedBuffer(count: rows * columns))
      w.withUnsafeBufferPointer { w in
        var call = ck_linear_bf16(
          rows: rows, inner: inner, n0: 0, n1: columns, x: x.base, w: w.baseAddress!, bias: nil, y: y.base,
          x_stride: inner, w_stride: stride, y_stride: columns)
        kernel.pointer(as: MicroKernelType.LinearBF16.self)(&call)
      }
      decoded.withUnsafeBufferPointer { w in
        var call = ck_linear_f32(
          rows: rows, inner: inner, n0: 0, n1: columns, x: x.base, w: w.baseAddress!, bias: nil,
          y: expected.base,
          x_stride: inner, w_stride: stride, y_stride: columns)
        wide.pointer(as: MicroKernelType.Linear.self)(&call)
      }
      #expect(y.values.bits == expected.values.bits, "K \(inner)")
    }
  }
}
