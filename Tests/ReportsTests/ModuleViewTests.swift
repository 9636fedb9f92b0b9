import Foundation
import GraphIR
import PlanFormat
import Reports
import Tensors
import TestSupport
import Testing

/// An operator of any number of operands, whose result has the type of the first.
private struct Toy: Operator {
  let schema: OperatorSchema

  init(_ name: String) {
    schema = OperatorSchema(
      name, "Toy.", operands: ["x..."],
      attributes: ["axis": .int, "scale": .floats, "to": .element, "t": .tensor])
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }
}

@Suite struct ModuleViewTests {
  private let operators = OperatorTable([Toy("matmul"), Toy("add"), Toy("a_\"quoted\"_one")])

  private func module() throws -> Module {
    try Module(
      parsing: """
        module {
          opsets = "ai.onnx 21"
          producer = "pytorch 2.9"
        }
        const @bias: f32[4] = [0, 1, 2, 3]
        const @ids: i64[] = 7
        const @proj.weight: f32[64, 64] = blob(0)
        func @main(
          %input_ids: f32[S, 64], %past.0.key: f32[1, P, 4], %past.1.key: f32[1, P, 4], %past.2.key: f32[1, P, 4]
        ) -> (logits: f32[S, 64], past.0.key: f32[1, P, 4]) {
          %a = matmul(%input_ids, @proj.weight) {axis = -1, scale = [1.0, inf]} : f32[S, 64] loc("/model/layers.0/attn/q_proj/MatMul")
          %b = add(%a, _, %past.0.key) {to = f16} : f32[S, 64] loc("/model/layers.0/Add")
          %c = matmul(%b, @proj.weight) {t = i64[2] [1, 2]} : f32[S, 64] loc("/model/layers.1/a/path/that/is/very/long/and/does/not/fit/MatMul")
          %d = "a_\\"quoted\\"_one"(@bias) : f32[4]
          return logits = %c, %past.0.key
        }
        func @small() -> () { return }
        """, operators: operators, blobs: [Tensor(.f32, [64, 64])])
  }

  @Test(arguments: ModuleView.allCases) func view(_ view: ModuleView) throws {
    let ledger = [
      LedgerEntry(pass: "hire-head", fidelity: "statistical", budget: "recall=0.999", measured: "0.9994")
    ]
    let text = try module().view(as: view, operators: operators, ledger: ledger)
    try Golden.expect(text, named: "\(view).txt")
    if ![.text, .json, .dot].contains(view) {
      #expect(text.split(separator: "\n").allSatisfy { $0.count <= 110 })
    }
  }

  @Test func boundTable() throws {
    try Golden.expect(
      try module().table(operators: operators, binding: ["S": 512, "P": 0]), named: "table-bound.txt")
  }

  @Test func jsonIsRead() throws {
    let json = try module().view(as: .json, operators: operators)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    #expect(Set(object.keys) == ["bytes_per_token", "constants", "functions", "ledger", "metadata", "nodes"])
    #expect((object["ledger"] as? [Any])?.isEmpty == true)
    #expect(
      (object["nodes"] as? [[String: Any]])?.first?["sources"] as? [String] == [
        "/model/layers.0/attn/q_proj/MatMul"
      ])
  }

  @Test func emptyModule() throws {
    for view in ModuleView.allCases { _ = try Module().view(as: view, operators: operators) }
  }
}
