import Foundation
import GraphIR
import Operators
import Tensors
import Testing

/// Formulas and special values that the samples do not judge.
@Suite struct NumericTests {
  private func evaluate(_ sample: Sample) throws -> Tensor { try #require(try sample.evaluate()[0]) }

  @Test func matrixProductsOfAllLayoutsAgreeWithTheSum() throws {
    for (m, n, k) in [(1, 1, 1), (4, 8, 16), (5, 9, 17), (3, 33, 7), (8, 16, 64)] {
      let (a, b) = (ramp(m, k), ramp(k, n))
      let product = try evaluate(Sample("matmul", [a, b])).doubles
      let turned = ramp(n, k)
      let other = try evaluate(Sample("gemm", [a, turned], ["transB": .int(1)])).doubles
      for row in 0..<m {
        for column in 0..<n {
          let sum = (0..<k).reduce(0.0) { $0 + a.double(at: row * k + $1) * b.double(at: $1 * n + column) }
          #expect(abs(product[row * n + column] - sum) < 1e-4)
          let dot = (0..<k).reduce(0.0) {
            $0 + a.double(at: row * k + $1) * turned.double(at: column * k + $1)
          }
          #expect(abs(other[row * n + column] - dot) < 1e-4)
        }
      }
    }
  }

  /// The numbers are multiples of 1/4 and small, so that every order of summation is exact.
  @Test func linearIsItsDecomposition() throws {
    let (x, weight, bias) = (ramp(3, 20), ramp(7, 20), ramp(7))
    let turned = try evaluate(Sample("transpose", [weight], ["perm": .ints([1, 0])]))
    let product = try evaluate(Sample("matmul", [x, turned]))
    let sum = try evaluate(Sample("add", [product, bias])).doubles
    #expect(try evaluate(Sample("linear", [x, weight, bias])).doubles == sum)
    #expect(try evaluate(Sample("linear", [x, weight])).doubles == product.doubles)
  }

  /// What a row of a product is does not depend on the rows that are computed with it.
  @Test func matrixProductIsTheSameForEveryNumberOfRows() throws {
    let (a, b) = (ramp(7, 37), ramp(37, 21))
    let whole = try evaluate(Sample("matmul", [a, b])).array(of: Float.self)
    for row in 0..<7 {
      let single = Tensor(f32: Array(a.array(of: Float.self)[(row * 37)..<(row * 37 + 37)]), [1, 37])
      let alone = try evaluate(Sample("matmul", [single, b])).array(of: Float.self)
      #expect(alone == Array(whole[(row * 21)..<(row * 21 + 21)]))
    }
  }

  @Test func longSumsArePrecise() throws {
    let count = 1 << 20
    let x = Tensor(f32: (0..<count).map { Float($0 % 1000) * 0.001 + 1 })
    let exact = x.doubles.reduce(0, +)
    #expect(abs(try evaluate(Sample("reduce_sum", [x])).double(at: 0) / exact - 1) < 1e-5)
  }

  @Test func softmaxOfLargeAndMaskedScores() throws {
    let scores = Tensor(f32: [1000, 1000, -.infinity, -1000], [1, 4])
    #expect(try evaluate(Sample("softmax", [scores])).doubles == [0.5, 0.5, 0, 0])
    let masked = Tensor(f32: [-.infinity, -.infinity])
    #expect(try evaluate(Sample("softmax", [masked])).doubles.allSatisfy(\.isNaN))
  }

  @Test func extremaPropagateNaN() throws {
    let (a, b) = (Tensor(f32: [.nan, 1, 2]), Tensor(f32: [1, .nan, 3]))
    let largest = try evaluate(Sample("max", [a, b])).doubles
    #expect(largest[0].isNaN && largest[1].isNaN && largest[2] == 3)
    #expect(try evaluate(Sample("reduce_min", [a])).double(at: 0).isNaN)
  }

  @Test func integerDivisionNeverTraps() throws {
    let (a, b) = (Tensor(i64: [7, -7, .min, 5]), Tensor(i64: [2, 2, -1, 0]))
    #expect(try evaluate(Sample("div", [a, b])).integers.prefix(2) == [3, -3])
    #expect(try evaluate(Sample("mod", [a, b])).integers.prefix(2) == [1, 1])
  }

  @Test func emptyReductionsHaveTheirNeutralElement() throws {
    let empty = Tensor(f32: [], [0, 2])
    #expect(try evaluate(Sample("reduce_sum", [empty, Tensor(i64: [0])])).doubles == [0, 0])
    #expect(try evaluate(Sample("reduce_prod", [empty, Tensor(i64: [0])])).doubles == [1, 1])
    #expect(
      try evaluate(Sample("reduce_max", [empty, Tensor(i64: [0])])).doubles == [-.infinity, -.infinity])
  }

  @Test func narrowFloatsAreWidened() throws {
    let x = Tensor(.bf16, [2], values: [NumberCoding.bf16(1), NumberCoding.bf16(-2)])
    let y = try evaluate(Sample("exp", [x]))
    #expect(y.element == .bf16)
    #expect(abs(y.double(at: 0) - M_E) < 0.01)
    let results = try Sample("layer_normalization", [x, x], results: 3).evaluate()
    #expect(results.map { $0?.element } == [.bf16, .f32, .f32])
  }

  @Test func refusalsNameTheElementType() {
    #expect(throws: Interpreter.Failure.self) { try evaluate(Sample("exp", [Tensor(i64: [1])])) }
    #expect(throws: Interpreter.Failure.self) { try evaluate(Sample("add", [Tensor(i64: [1]), ramp(1)])) }
    #expect(throws: Interpreter.Failure.self) { try evaluate(Sample("matmul", [ramp(2, 3), ramp(2, 3)])) }
  }
}
