import GraphIR
import Tensors
import TestSupport
import Testing

@Suite struct VerificationTests {
  private static let text = """
    const @w: f32[4, 4] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    func @main(%x: f32[S, 4]) -> (z: f32[S, 4]) {
      %y = matmul(%x, @w) : f32[S, 4] loc("/proj")
      %z = add(%x, %y) : f32[S, 4]
      return %z
    }
    """

  /// What is done to a sound module, by name; the names are those of the report.
  private static let damages: [(name: String, damage: @Sendable (inout Module, inout Graph) -> Void)] = [
    ("nothing", { _, _ in }),
    ("an operand of no value", { _, graph in graph[graph.order[1]].operands[0] = ValueID(99) }),
    (
      "an operand that is defined later",
      { _, graph in
        graph[graph.order[0]].operands[0] = graph.value(named: "z")
      }
    ),
    ("an operand that was removed", { _, graph in graph.remove([graph.order[0]]) }),
    ("a result of no value", { _, graph in graph[graph.order[0]].results = [ValueID(99)] }),
    (
      "a result of another node",
      { _, graph in
        graph[graph.order[0]].results = [graph.value(named: "z")]
      }
    ),
    ("two values of one name", { _, graph in graph[graph.value(named: "z")!].name = "y" }),
    ("no name", { _, graph in graph[graph.value(named: "z")!].name = "" }),
    ("an input out of place", { _, graph in graph[graph.value(named: "x")!].definition = .input(3) }),
    ("no constant", { module, _ in module.constants = [:] }),
    ("a constant of another type", { module, _ in module.constants["w"] = Tensor(f32: [1]) }),
    ("no operator", { _, graph in graph[graph.order[0]].operation = "mul" }),
    ("too few operands", { _, graph in graph[graph.order[0]].operands.removeLast() }),
    ("an absent operand", { _, graph in graph[graph.order[0]].operands[1] = nil }),
    ("an unknown attribute", { _, graph in graph[graph.order[0]].attributes["axis"] = .int(1) }),
    (
      "an attribute of another kind, and one that is missing",
      { _, graph in
        graph[graph.order[0]].operation = "split"
        graph[graph.order[0]].operands.removeLast()
        graph[graph.order[0]].attributes["axis"] = .float(1)
        graph[graph.order[1]].operation = "split"
      }
    ),
    ("too many results", { _, graph in graph[graph.order[0]].results.append(nil) }),
    ("a wrong element type", { _, graph in graph[graph.value(named: "y")!].type.element = .f16 }),
    ("a wrong dim", { _, graph in graph[graph.value(named: "y")!].type.shape[1] = 5 }),
    (
      "an unknown dim, which is sound",
      { _, graph in
        graph[graph.value(named: "y")!].type.shape[0] = Dim("u7") + 1
      }
    ),
    ("an operator that refuses", { _, graph in graph[graph.value(named: "x")!].type.shape = [4, 5] }),
    ("an output of no value", { _, graph in graph.outputs[0].value = ValueID(99) }),
    ("an output that was removed", { _, graph in graph.remove([graph.order[1]]) }),
    ("two outputs of one name", { _, graph in graph.outputs.append(graph.outputs[0]) }),
    (
      "two functions of one name",
      { module, graph in
        module.functions.append(Module.Function("main", Graph()))
      }
    ),
  ]

  @Test func everyInvariant() throws {
    var report = ""
    var codes: Set<Violation.Code> = []
    for (name, damage) in Self.damages {
      var module = try Module(parsing: Self.text, operators: Toy.operators)
      var graph = module.main.graph
      damage(&module, &graph)
      module.main.graph = graph
      report += "\(name)\n"
      for violation in module.violations(operators: Toy.operators) {
        report += "  \(violation)\n"
        codes.insert(violation.code)
      }
    }
    try Golden.expect(report, named: "violations.txt")
    #expect(codes == Set(Violation.Code.allCases))
  }
}
