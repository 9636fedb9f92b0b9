import CKernels
import Tensors
import Testing

@testable import Kernels

struct ScanKernelTests {
  static let kernels = MicroKernel.runnable("scan_u4") + MicroKernel.runnable("scan_u8")

  /// Panels with any codes, and rows of q, at the ends of what they hold where `isExtreme`.
  struct Case {
    let bits: Int, rank: Int, panels: Int, rows: Int
    let codes: [UInt8], q: [Int8], scales: [Float]

    init(bits: Int, rank: Int, panels: Int, rows: Int, isExtreme: Bool) {
      (self.bits, self.rank, self.panels, self.rows) = (bits, rank, panels, rows)
      var random = Random(UInt64(bits * 1000 + rank * 10 + panels))
      let limit: Int8 = bits == 4 ? 127 : 63
      var codes: [UInt8] = []
      for _ in 0..<panels {
        codes += (0..<2 * rank * bits).map { _ in isExtreme ? .max : .random(in: 0...255, using: &random) }
        for _ in 0..<16 {
          let scale = Float16(Float.random(in: 0...2, using: &random))
          codes += [UInt8(scale.bitPattern & 255), UInt8(scale.bitPattern >> 8)]
        }
      }
      self.codes = codes
      q = (0..<rows * rank).map { index in
        isExtreme ? (index / rank % 2 == 0 ? limit : -limit) : .random(in: -limit...limit, using: &random)
      }
      scales = random.floats(rows)
    }

    func run(_ kernel: MicroKernel, rows range: Range<Int>? = nil) -> [Float] {
      let range = range ?? 0..<rows
      let stride = panels * 16 + 3
      let y = GuardedBuffer(count: rows * stride)
      let sums = (0..<rows).map { row in q[row * rank..<(row + 1) * rank].reduce(0) { $0 + Int32($1) } }
      // Both ends at pages: whole words, as rank is a multiple of 8.
      let panelBytes = GuardedBuffer(words(codes)),
        numbers = GuardedBuffer(words(q.map { UInt8(bitPattern: $0) }))
      var call = ck_scan()
      call.rows = range.count
      call.rank = rank
      call.panels = panels
      call.codes = UnsafeRawPointer(panelBytes.base)
      call.q = UnsafeRawPointer(numbers.base).assumingMemoryBound(to: Int8.self) + range.lowerBound * rank
      call.y = y.base + range.lowerBound * stride
      call.q_stride = rank
      call.y_stride = stride
      withExtendedLifetime((panelBytes, numbers)) {
        scales.withUnsafeBufferPointer { scales in
          sums.withUnsafeBufferPointer { sums in
            call.scales = scales.baseAddress! + range.lowerBound
            call.sums = sums.baseAddress! + range.lowerBound
            kernel.pointer(as: MicroKernelType.Scan.self)(&call)
          }
        }
      }
      return y.values
    }

    private func words(_ bytes: [UInt8]) -> [Float] {
      bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }

    /// The score of a row, in the order that the contract tells.
    func expected(_ s: Int, _ row: Int) -> Float {
      let panel = codes[row / 16 * (codes.count / panels)..<(row / 16 + 1) * (codes.count / panels)]
      let base = panel.startIndex
      var sum = 0
      for k in 0..<rank {
        let byte = Int(panel[base + (bits == 4 ? k / 8 : k / 4) * 64 + row % 16 * 4 + k % 4])
        let code = bits == 8 ? byte - 128 : (k % 8 < 4 ? byte & 15 : byte >> 4) - 8
        sum += code * Int(q[s * rank + k])
      }
      let place = base + 2 * rank * bits + row % 16 * 2
      let scale = Float16(bitPattern: UInt16(panel[place]) | UInt16(panel[place + 1]) << 8)
      return Float(sum) * scales[s] * Float(scale)
    }
  }

  private func bits(_ kernel: MicroKernel) -> Int { kernel.family == "scan_u4" ? 4 : 8 }

  @Test(arguments: kernels, [false, true])
  func scoresAreThoseOfTheDefinition(kernel: MicroKernel, isExtreme: Bool) {
    for rank in [8, 16, 24, 32, 64, 72, 96, 256] {
      for (panels, rows) in [(1, 1), (5, 2), (3, 3), (2, 4)] {
        let test = Case(bits: bits(kernel), rank: rank, panels: panels, rows: rows, isExtreme: isExtreme)
        let y = test.run(kernel)
        let stride = panels * 16 + 3
        for s in 0..<rows {
          for row in 0..<panels * 16 {
            #expect(
              y[s * stride + row].bitPattern == test.expected(s, row).bitPattern,
              "rank \(rank) S \(s) row \(row)")
          }
          for place in panels * 16..<stride { #expect(y[s * stride + place].isNaN, "beyond the last panel") }
        }
      }
    }
  }

  @Test(arguments: kernels)
  func bitsDependOnTheirRowAlone(kernel: MicroKernel) {
    let test = Case(bits: bits(kernel), rank: 64, panels: 4, rows: 4, isExtreme: false)
    let (all, stride) = (test.run(kernel), 4 * 16 + 3)
    for rows in [0..<1, 1..<3, 1..<4, 3..<4] {
      let part = test.run(kernel, rows: rows)
      let range = rows.lowerBound * stride..<rows.upperBound * stride - 3
      #expect(part[range].bits == all[range].bits)
    }
  }
}

struct SelectKernelTests {
  /// Places in order of the largest, ties by place, NaN with the smallest.
  private static func expected(_ x: [Float], _ count: Int) -> [UInt32] {
    let smallest = x.filter { !$0.isNaN }.min() ?? 0
    let known = x.map { $0.isNaN ? smallest : $0 }
    let order = known.indices.sorted { known[$0] != known[$1] ? known[$0] > known[$1] : $0 < $1 }
    return order.prefix(count).sorted().map { UInt32($0) }
  }

  static func select(_ x: [Float], _ count: Int, _ kernel: MicroKernel) -> [UInt32] {
    let numbers = GuardedBuffer(x)
    let places = GuardedBuffer(count: count)
    kernel.pointer(as: MicroKernelType.Select.self)(
      x.count, numbers.base, count,
      UnsafeMutableRawPointer(places.base).assumingMemoryBound(to: UInt32.self))
    return withExtendedLifetime(numbers) { places.values.map(\.bitPattern) }
  }

  @Test(arguments: MicroKernel.runnable("select_f32"))
  func takesTheLargestInOrderOfPlaces(kernel: MicroKernel) {
    var random = Random(7)
    for count in [1, 2, 15, 16, 17, 63, 64, 65, 200, 4096] {
      let shapes: [(String, [Float])] = [
        ("even", random.floats(count)),
        ("heavy tails", random.floats(count).map { 1 / $0 }),
        ("few values", (0..<count).map { _ in Float(Int.random(in: -2...2, using: &random)) }),
        ("equal", [Float](repeating: 0.5, count: count)),
        ("zeros of both signs", (0..<count).map { _ in Bool.random(using: &random) ? 0 : -0.0 }),
        ("any bits", (0..<count).map { _ in Float(bitPattern: .random(in: 0...UInt32.max, using: &random)) }),
        ("infinities", (0..<count).map { [.infinity, -.infinity, 1, -1][$0 % 4] }),
        ("no numbers", [Float](repeating: .nan, count: count)),
        ("one large", (0..<count).map { $0 == count / 2 ? 1e30 : Float($0) * 1e-30 }),
      ]
      for selected in Set([1, 2, count / 8, count / 2, count - 1, count]) where (0...count).contains(selected)
      {
        for (name, x) in shapes {
          #expect(
            Self.select(x, selected, kernel) == Self.expected(x, selected),
            "\(selected) of \(count), \(name)")
        }
      }
    }
  }
}
