import GraphIR
import Kernels
import Operators
import Tensors
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

  /// An operator without a kernel is evaluated through its decomposition, which a sample must show.
  @Test func everyOperatorIsEvaluated() {
    let sampled = Set(Sample.all.map(\.operation))
    let unproved = OperatorSet.standard.names.filter {
      KernelTable.entries[$0] == nil && !sampled.contains($0)
    }
    #expect(unproved == [])
  }

  @Test(arguments: Sample.all)
  func inferenceAgreesWithEvaluation(_ sample: Sample) throws {
    let evaluated = try sample.evaluate()
    let facts = try sample.infer(sample.operands.map { $0.map { $0.type } })
    for (fact, tensor) in zip(facts, evaluated) {
      guard let tensor else { continue }
      #expect(fact.type == tensor.type)
      if let content = fact.content { #expect(content == tensor.integers.map { Dim($0) }) }
    }
  }

  /// With every extent a symbol, the inferred shape is that of the result once the symbols are bound.
  @Test(arguments: Sample.all)
  func symbolicInferenceAgreesWithEvaluation(_ sample: Sample) throws {
    var binding: [String: Int] = [:]
    let symbolic = sample.operands.map { operand -> TensorType? in
      guard let operand else { return nil }
      return TensorType(
        operand.element,
        operand.shape.map { extent in
          if extent <= 1 || !sample.isSymbolic { return Dim(extent) }
          binding["d\(extent)"] = extent
          return Dim("d\(extent)")
        })
    }
    for (fact, tensor) in zip(try sample.infer(symbolic), try sample.evaluate()) {
      guard let tensor else { continue }
      #expect(fact.type.element == tensor.element)
      #expect(fact.type.shape.map { $0.evaluated(binding) } == tensor.shape.map { $0 })
    }
  }

  @Test(arguments: Sample.all)
  func decompositionAgreesWithKernel(_ sample: Sample) throws {
    guard KernelTable.entries[sample.operation] != nil,
      let decomposed = try sample.evaluateDecomposition()?[0]
    else { return }
    let direct = try #require(try sample.evaluate()[0])
    #expect(decomposed.type == direct.type)
    for (a, b) in zip(decomposed.doubles, direct.doubles) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
  }
}

extension OperatorTable {
  static var standard: OperatorTable { OperatorSet.standard }
}
