import GraphIR
import ONNXFormat
import ONNXImport
import Tensors
import Testing

@Suite struct FunctionTests {
  /// `scaled(a, b?) = leaky_relu(a, alpha: slope)`, with `slope` 0.5 unless given.
  private static let scaled: ONNXFunction = {
    var function = ONNXFunction(
      "Scaled", domain: "local", inputs: ["a", "b"], outputs: ["r"],
      nodes: [
        ONNXNode("Identity", inputs: ["a"], outputs: ["t"]),
        ONNXNode(
          "LeakyRelu", name: "act", inputs: ["t"], outputs: ["r"],
          attributes: [ONNXAttribute("alpha", .reference("slope"))]),
      ], opsets: [ONNXOpset("", 16)])
    function.defaults = [ONNXAttribute("slope", .float(0.5))]
    return function
  }()

  private static func call(
    _ x: String, _ y: String, name: String = "call", _ attributes: [ONNXAttribute] = []
  ) -> ONNXNode {
    ONNXNode("Scaled", domain: "local", name: name, inputs: [x], outputs: [y], attributes: attributes)
  }

  @Test func bodiesReplaceCalls() throws {
    let model = Samples.model(
      [Self.call("x", "m"), Self.call("m", "y", [ONNXAttribute("slope", .float(0.25))])],
      functions: [Self.scaled])
    let module = try Module(importing: model)
    let graph = module.main.graph
    let slopes = graph.order.compactMap { graph[$0].attributes.float("alpha") }
    #expect(slopes == [0.5, 0.25])
    #expect(graph.order.map { graph[$0].location } == ["call/t", "call/act", "call.1/t", "call.1/act"])
    #expect(graph.outputs.map(\.name) == ["y"])
  }

  @Test func functionsCallFunctions() throws {
    let outer = ONNXFunction(
      "Outer", domain: "local", inputs: ["p"], outputs: ["q", "unused"],
      nodes: [Self.call("p", "q", name: "inner"), ONNXNode("Neg", inputs: ["p"], outputs: ["unused"])],
      opsets: [ONNXOpset("", 16), ONNXOpset("local", 1)])
    let module = try Module(
      importing: Samples.model(
        [ONNXNode("Outer", domain: "local", name: "o", inputs: ["x"], outputs: ["y"])],
        functions: [outer, Self.scaled]))
    #expect(module.operations == ["identity", "leaky_relu", "neg"])
  }

  @Test func theModelsDefinitionOfAKnownOperatorCounts() throws {
    let function = ONNXFunction(
      "SkipSimplifiedLayerNormalization", domain: "com.microsoft", inputs: ["a", "b", "w"], outputs: ["r"],
      nodes: [ONNXNode("Sub", inputs: ["a", "b"], outputs: ["r"])], opsets: [ONNXOpset("", 21)])
    let node = ONNXNode(
      "SkipSimplifiedLayerNormalization", domain: "com.microsoft", inputs: ["x", "x", "w"], outputs: ["y"])
    let module = try Module(
      importing: Samples.model([node], constants: ["w": Tensor(f32: [1])], functions: [function]))
    #expect(module.operations == ["sub"])
  }

  @Test func aResultMayBeAnOperand() throws {
    let function = ONNXFunction(
      "Same", domain: "local", inputs: ["a"], outputs: ["a"], nodes: [], opsets: [ONNXOpset("", 21)])
    let module = try Module(
      importing: Samples.model(
        [ONNXNode("Same", domain: "local", inputs: ["x"], outputs: ["y"])], functions: [function]))
    #expect(module.operations == ["identity"])
  }

  @Test func badCallsAreRefused() {
    var strict = Self.scaled
    strict.attributes = ["width"]
    #expect(
      Samples.refusal(Samples.model([Self.call("x", "y")], functions: [strict])).contains(
        "lacks the attribute 'width'"))
    let endless = ONNXFunction(
      "Scaled", domain: "local", inputs: ["a"], outputs: ["r"], nodes: [Self.call("a", "r")],
      opsets: [ONNXOpset("", 21), ONNXOpset("local", 1)])
    #expect(Samples.refusal(Samples.model([Self.call("x", "y")], functions: [endless])).contains("recursion"))
    #expect(
      Samples.refusal(Samples.model([Self.call("x", "y")], functions: [Self.scaled, Self.scaled]))
        .contains("defined twice"))
    let wide = ONNXNode("Scaled", domain: "local", inputs: ["x", "x", "x"], outputs: ["y"])
    #expect(Samples.refusal(Samples.model([wide], functions: [Self.scaled])).contains("has 3 operands"))
  }
}
