import Foundation
import GraphIR
import ONNXImport
import Operators
import Tensors

/// Imports, interprets and judges node tests.
struct NodeTestRunner {
  enum Outcome {
    case passed
    case failed(String)
    case skipped(String)
  }

  let folder: NodeTestFolder

  /// Skipped is what is refused by name as unsupported; everything else that goes wrong has failed.
  func run(_ test: NodeTestCase) throws -> Outcome {
    var inputs: [String: Tensor] = [:]
    for value in test.inputs {
      guard let tensor = try folder.tensor(value) else { return .skipped("input is \(Self.kind(value))") }
      inputs[value.name] = tensor
    }
    let module: Module
    do throws(ImportError) {
      module = try Module(importing: folder.url.appending(path: test.model).path)
    } catch {
      return error.code == .unsupported ? .skipped(error.message) : .failed("\(error)")
    }
    let results: [String: Tensor]
    do throws(Interpreter.Failure) {
      results = try Interpreter(module).run(module.main, inputs: inputs)
    } catch {
      return error.isUnsupported ? .skipped("'\(error.operation)': \(error.message)") : .failed("\(error)")
    }
    for value in test.outputs {
      guard let expected = try folder.tensor(value) else { return .skipped("output is \(Self.kind(value))") }
      guard let actual = results[value.name] else { return .failed("output '\(value.name)' is missing") }
      if let difference = Self.difference(actual, expected, test) {
        return .failed("'\(value.name)' \(difference)")
      }
    }
    return disagreement(of: module.main.graph, with: results).map { .failed($0) } ?? .passed
  }

  private static func kind(_ value: NodeTestCase.Value) -> String {
    value.kind == "tensor"
      ? "a tensor of \(value.dtype ?? "unknown type")" : "a value of kind '\(value.kind)'"
  }

  /// Two units in the last place of a narrow float: expected values were rounded after every step.
  private static func narrowTolerance(_ element: ElementType) -> Double {
    switch element {
    case .bf16: 1.0 / 64
    case .f16: 1.0 / 512
    default: 0
    }
  }

  /// The first difference that is larger than the case allows.
  private static func difference(_ actual: Tensor, _ expected: Tensor, _ test: NodeTestCase) -> String? {
    guard actual.element == expected.element, actual.shape == expected.shape else {
      return "is \(actual.type), expected \(expected.type)"
    }
    let rtol = max(test.rtol, narrowTolerance(expected.element))
    for (index, (a, e)) in zip(actual.doubles, expected.doubles).enumerated() {
      if a == e || (a.isNaN && e.isNaN) || abs(a - e) <= test.atol + rtol * abs(e) { continue }
      return "[\(index)] is \(a), expected \(e)"
    }
    return nil
  }

  /// Where the inferred type of an output is not that of the evaluated tensor.
  private func disagreement(of graph: Graph, with results: [String: Tensor]) -> String? {
    for output in graph.outputs {
      guard let tensor = results[output.name] else { continue }
      let value = graph[output.value]
      let fits =
        value.type.element == tensor.element && value.type.rank == tensor.rank
        && zip(value.type.shape, tensor.shape).allSatisfy { $0.constant == nil || $0.constant == $1 }
      guard fits else { return "'\(output.name)' is inferred as \(value.type), evaluated as \(tensor.type)" }
      guard let content = value.content else { continue }
      for (known, actual) in zip(content, tensor.integers)
      where known.constant != nil && known.constant != actual {
        return "'\(output.name)' has inferred content \(content), evaluated \(tensor.integers)"
      }
    }
    return nil
  }
}
