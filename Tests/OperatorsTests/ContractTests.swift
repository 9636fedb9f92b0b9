import GraphIR
import Kernels
import Operators
import Testing

/// What every operator of the set owes, judged by name.
@Suite struct ContractTests {
  @Test(arguments: OperatorSet.standard.names)
  func schemasAreDocumented(_ name: String) throws {
    let schema = try #require(OperatorSet.standard[name]).schema
    #expect(schema.name == name)
    #expect(schema.summary.hasSuffix("."), "the summary is a sentence")
    #expect(Set(schema.operands.map(\.name)).count == schema.operands.count)
    #expect(Set(schema.attributes.map(\.name)).count == schema.attributes.count)
  }
}
