import GraphIR
import Operators
import Tensors
import Testing

/// Values at run time that no result can follow from are errors, whatever inference knew of them.
@Suite struct RefusalTests {
  private static let huge = 6_148_914_691_236_517_206
  private static let x = Tensor(f32: [1, 2])

  private static let refused = [
    Sample("reshape", [x, Tensor(i64: [-2, -1])]),
    Sample("reshape", [x, Tensor(i64: [-2, -1, 1])]),
    Sample("reshape", [Tensor(f32: [], [0]), Tensor(i64: [1 << 32, 1 << 32])]),
    Sample("expand", [Tensor(f32: [1]), Tensor(i64: [-3])]),
    Sample("expand", [Tensor(f32: [1]), Tensor(i64: [3, huge])]),
    Sample("tile", [x, Tensor(i64: [huge])]),
    Sample("constant_of_shape", [Tensor(i64: [3, huge])]),
    Sample("range", [Tensor(i64: [0], []), Tensor(i64: [10_000_000_000_000], []), Tensor(i64: [1], [])]),
    Sample("range", [Tensor(i64: [.min], []), Tensor(i64: [.max], []), Tensor(i64: [1], [])]),
    Sample("pad", [x, Tensor(i64: [.max, .max])]),
    Sample("one_hot", [Tensor(i64: [0]), Tensor(f32: [.infinity], []), x]),
    Sample("one_hot", [Tensor(i64: [0]), Tensor(f32: [.nan], []), x]),
    Sample("one_hot", [Tensor(i64: [0]), Tensor(i64: [1 << 60], []), x]),
    Sample("trilu", [Tensor(f32: [1], [1, 1]), Tensor(i64: [], [0])]),
  ]

  @Test(arguments: refused)
  func isAnError(_ sample: Sample) {
    #expect(throws: (any Error).self) { try sample.evaluate() }
  }

  @Test func aCacheWithoutCapacityTakesNothing() throws {
    let empty = Tensor(f32: [], [1, 1, 0, 2])
    let sample = Sample("tensor_scatter", [empty, empty, Tensor(i64: [3])], ["mode": .string("circular")])
    #expect(try sample.evaluate()[0]?.shape == [1, 1, 0, 2])
  }

  @Test func aDescendingRangeIsEmptyHoweverFar() throws {
    let scalars = [0, -1e30, 1].map { Tensor(f32: [$0], []) }
    #expect(try Sample("range", scalars).evaluate()[0]?.shape == [0])
  }

  @Test func floatsSaturateAsIntegers() throws {
    let x = Tensor(f32: [.infinity, -.infinity, .nan, 1e30, -1.9])
    func cast(_ element: ElementType) throws -> [Int] {
      try #require(try Sample("cast", [x], ["to": .element(element)]).evaluate()[0]).integers
    }
    let low = Int(Int32.min)
    #expect(try cast(.i32) == [Int(Int32.max), low, 0, Int(Int32.max), -1])
    #expect(try cast(.i64) == [.max, .min, 0, .max, -1])
    #expect(try cast(.u8) == [255, 0, 0, 255, 0])
    #expect(try cast(.i8) == [127, -128, 0, 127, -1])
  }

  @Test func byteCountsAreChecked() {
    #expect(Extents(2, 3).byteCount(of: .f32) == 24)
    #expect(Extents(0, 5).byteCount(of: .f32) == 0)
    #expect(Extents(3, Self.huge).byteCount(of: .f32) == nil)
    #expect(Extents(-1, 2).byteCount(of: .f32) == nil)
  }
}
