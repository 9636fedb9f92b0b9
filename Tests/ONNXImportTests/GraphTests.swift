import GraphIR
import ONNXFormat
import ONNXImport
import Tensors
import Testing

@Suite struct GraphTests {
  @Test func namesAreTheExporters() throws {
    let module = try Module(
      importing: Samples.model(
        [
          ONNXNode("Add", name: "layer.0/add", inputs: ["x", "w"], outputs: ["sum"]),
          ONNXNode("Neg", inputs: ["sum"], outputs: ["y"]),
        ], constants: ["w": Tensor(f32: [1, 2, 3, 4])]))
    let graph = module.main.graph
    #expect(graph.order.map { graph[$0].location } == ["layer.0/add", "y"])
    #expect(graph.value(named: "sum").map { graph[$0].type.description } == "f32[S, 4]")
    #expect(module.constants.keys.sorted() == ["w"])
    #expect(graph.outputs.map(\.name) == ["y"])
    #expect(graph.inputs.map { graph[$0].name } == ["x"])
  }

  @Test func nodesAreSorted() throws {
    let module = try Module(
      importing: Samples.model([
        ONNXNode("Neg", inputs: ["b"], outputs: ["y"]), ONNXNode("Exp", inputs: ["a"], outputs: ["b"]),
        ONNXNode("Abs", inputs: ["x"], outputs: ["a"]),
      ]))
    #expect(module.operations == ["abs", "exp", "neg"])
  }

  @Test func everyFormOfConstant() throws {
    let forms: [(ONNXAttribute, String)] = [
      (ONNXAttribute("value", .tensor(ONNXTensor("", Tensor(f32: [2], [1])))), "f32[1]"),
      (ONNXAttribute("value_float", .float(2)), "f32[]"),
      (ONNXAttribute("value_floats", .floats([2, 3])), "f32[2]"),
      (ONNXAttribute("value_int", .int(2)), "i64[]"), (ONNXAttribute("value_ints", .ints([2, 3])), "i64[2]"),
    ]
    for (attribute, type) in forms {
      let module = try Module(
        importing: Samples.model([ONNXNode("Constant", inputs: [], outputs: ["y"], attributes: [attribute])]))
      #expect(module.constants["y"]?.type.description == type)
    }
    let text = ONNXAttribute("value_string", .string("a"))
    let refusal = Samples.refusal(
      Samples.model([ONNXNode("Constant", inputs: [], outputs: ["y"], attributes: [text])]))
    #expect(refusal.contains("'value_string'"))
  }

  @Test func inputsWithDefaultsAreConstants() throws {
    let module = try Module(
      importing: Samples.model(
        [ONNXNode("Add", inputs: ["x", "w"], outputs: ["y"])],
        inputs: [("x", .float, [.value(2)]), ("w", .float, [.value(2)])],
        constants: ["w": Tensor(f32: [1, 2])]))
    #expect(module.main.graph.inputs.count == 1)
  }

  @Test func declaredExtentsAreReadAsExpressions() throws {
    let module = try Module(
      importing: Samples.model(
        [ONNXNode("Identity", inputs: ["x"], outputs: ["y"])],
        inputs: [
          (
            "x", .float,
            [.parameter("past + seq"), .parameter("a?b"), .unknown, .parameter("u3"), .value(-1), .value(0)]
          )
        ]))
    let type = module.main.graph[module.main.graph.inputs[0]].type
    #expect(type.shape[0] == Dim("past") + Dim("seq"))
    #expect(type.shape[1] == Dim("a?b"))
    #expect(type.shape[2] == Dim("u4") && type.shape[4] == Dim("u5"))
    #expect(type.shape[5] == 0)
  }

  @Test func declaredTypesFillInWhatInferenceCannotKnow() throws {
    func type(_ declared: ONNXValueInfo) throws -> String {
      var model = Samples.model([ONNXNode("NonZero", inputs: ["x"], outputs: ["y"])])
      model.graph.valueInfos = [declared]
      let graph = try Module(importing: model).main.graph
      return graph[graph.outputs[0].value].type.description
    }
    #expect(try type(ONNXValueInfo("y", .int64, [.value(2), .value(7)])) == "i64[2, 7]")
    #expect(try type(ONNXValueInfo("y", .int64, [.value(2), .parameter("S")])) == "i64[2, S]")
    #expect(try type(ONNXValueInfo("y", .int64, [.value(3), .value(7)])).hasPrefix("i64[2, u"))
    #expect(try type(ONNXValueInfo("y", .int64, [.value(7)])).hasPrefix("i64[2, u"))
    #expect(try type(ONNXValueInfo("y", .int64, [.value(2), .parameter("_d0")])).hasPrefix("i64[2, u"))
  }

  @Test func aBranchWithAConstantConditionIsTaken() throws {
    func branch(_ operation: String) -> ONNXAttribute.Value {
      .graph(
        ONNXGraph(
          nodes: [ONNXNode(operation, inputs: ["a"], outputs: [operation])],
          outputs: [ONNXValueInfo(operation, .none)]))
    }
    func model(_ condition: [ONNXNode]) -> ONNXModel {
      let choice = ONNXNode(
        "If", name: "choice", inputs: ["c"], outputs: ["y"],
        attributes: [
          ONNXAttribute("then_branch", branch("Exp")), ONNXAttribute("else_branch", branch("Neg")),
        ])
      return Samples.model(
        [choice, ONNXNode("Abs", inputs: ["x"], outputs: ["a"])] + condition,
        constants: ["yes": Tensor(bool: [true]), "no": Tensor(bool: [false])])
    }
    func constant(_ name: String) -> [ONNXNode] { [ONNXNode("Identity", inputs: [name], outputs: ["c"])] }
    #expect(try Module(importing: model(constant("yes"))).operations.suffix(2) == ["abs", "exp"])
    #expect(try Module(importing: model(constant("no"))).operations.suffix(2) == ["abs", "neg"])
    let open = [
      ONNXNode("ReduceMax", inputs: ["x"], outputs: ["m"], attributes: [ONNXAttribute("keepdims", .int(0))]),
      ONNXNode("Greater", inputs: ["m", "zero"], outputs: ["c"]),
    ]
    var dynamic = model(open)
    dynamic.graph.initializers.append(ONNXTensor("zero", Tensor(f32: [0], [])))
    let text = Samples.refusal(dynamic)
    #expect(text.contains("'choice' (If)") && text.contains("depends on the inputs"))
  }
}
