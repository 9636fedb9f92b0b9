import Tensors
import Testing

@Suite struct DimTests {
  @Test func sumsAreCanonical() {
    #expect(Dim("past") + Dim("seq") == Dim("seq") + Dim("past"))
    #expect((Dim("S") * 4 / Dim(2)) == Dim("S") * 2)
    #expect(Dim("S") - Dim("S") == Dim(0))
    #expect((Dim("B") * Dim("S") * 640) / (Dim("B") * Dim("S")) == Dim(640))
  }

  @Test(arguments: ["P + S", "2*S", "4", "floor(S, 2)", "max(P, 1) + 3", "`a b`*S", "-S + 1"])
  func textRoundTrips(_ text: String) throws {
    let dim = try #require(Dim(parsing: text))
    #expect(Dim(parsing: dim.description) == dim)
  }

  @Test func exporterExpressionsParse() throws {
    #expect(Dim(parsing: "past_sequence_length + sequence_length")?.symbols.count == 2)
    #expect(Dim(parsing: "sequence_length * num_attention_heads") != nil)
    #expect(Dim(parsing: "2 +") == nil)
  }

  @Test func hostileTextsAreRefused() {
    #expect(Dim(parsing: String(repeating: "(", count: 100_000)) == nil)
    #expect(Dim(parsing: String(repeating: "max(", count: 100_000)) == nil)
    #expect(Dim(parsing: (0..<64).map { "(a\($0) + b\($0))" }.joined(separator: "*")) == nil)
    #expect(Dim(parsing: "floor(-9223372036854775807 - 1, 0 - 1)") != nil)
  }

  @Test func evaluationNeedsEverySymbol() {
    let dim = Dim("P") + Dim("S") * 2
    #expect(dim.evaluated(["P": 3, "S": 4]) == 11)
    #expect(dim.evaluated(["P": 3]) == nil)
  }
}
