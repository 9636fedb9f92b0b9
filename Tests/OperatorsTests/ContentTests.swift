import GraphIR
import Operators
import Tensors
import Testing

/// Shape arithmetic that inference must follow through integer tensors.
@Suite struct ContentTests {
  private func content(
    _ operation: String, _ operands: [Dim]..., attributes: [String: AttributeValue] = [:]
  ) throws -> [Dim]? {
    let facts = operands.map { ValueFact(TensorType(.i64, [Dim($0.count)]), content: $0) }
    let call = InferenceCall(facts, Attributes(attributes), resultCount: 1, symbols: SymbolSource())
    return try #require(OperatorSet.standard[operation]).infer(call)[0].content
  }

  private let past = Dim("P")
  private let sequence = Dim("S")

  @Test func arithmeticIsFollowed() throws {
    #expect(try content("add", [past], [sequence]) == [past + sequence])
    #expect(try content("mul", [sequence, 2], [4]) == [sequence * 4, 8])
    #expect(try content("div", [sequence * 6], [2]) == [sequence * 3])
    #expect(try content("div", [-7], [2]) == [-3])
    #expect(try content("div", [sequence - 1], [2]) == nil, "it may be negative")
    #expect(try content("mod", [-7], [4]) == [1])
    #expect(try content("max", [past + sequence], [past]) == [past + sequence])
    #expect(try content("min", [past + sequence], [past], [0]) == [0])
    #expect(try content("reduce_prod", [sequence, 4]) == [sequence * 4])
  }

  @Test func comparisonsAreDecidedWhereTheyCanBe() throws {
    #expect(try content("equal", [past + sequence], [-1]) == [0])
    #expect(try content("equal", [sequence], [sequence]) == [1])
    #expect(try content("equal", [sequence], [1]) == nil)
    #expect(try content("less", [past], [past + sequence + 1]) == [1])
    #expect(try content("less", [past], [past + sequence]) == nil)
    #expect(try content("greater_or_equal", [past + sequence], [past]) == [1])
  }

  @Test func selectionNeedsTheConditionOrEqualChoices() throws {
    func select(_ condition: Dim?, _ a: Dim, _ b: Dim) throws -> [Dim]? {
      let facts = [
        ValueFact(TensorType(.bool, [1]), content: condition.map { [$0] }),
        ValueFact(TensorType(.i64, [1]), content: [a]), ValueFact(TensorType(.i64, [1]), content: [b]),
      ]
      let call = InferenceCall(facts, Attributes(), resultCount: 1, symbols: SymbolSource())
      return try #require(OperatorSet.standard["where"]).infer(call)[0].content
    }
    #expect(try select(1, sequence, 7) == [sequence])
    #expect(try select(0, sequence, 7) == [7])
    #expect(try select(Dim("c"), sequence, 7) == nil)
    #expect(try select(Dim("c"), sequence, sequence) == [sequence])
  }
}
