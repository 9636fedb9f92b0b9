import Foundation
import GraphIR
import ONNXFormat
import ONNXImport
import Tensors
import Testing

@Suite struct RefusalTests {
  @Test func allUnsupportedOperatorsAreListed() {
    let text = Samples.refusal(
      Samples.model([
        ONNXNode("Blur", name: "first", inputs: ["x"], outputs: ["a"]),
        ONNXNode("Blur", inputs: ["a"], outputs: ["b"]),
        ONNXNode("TreeEnsemble", domain: "ai.onnx.ml", name: "trees", inputs: ["b"], outputs: ["c"]),
        ONNXNode("Loop", name: "loop", inputs: ["c"], outputs: ["y"]),
      ]))
    #expect(
      text.contains(
        "operator 'Blur' of domain 'ai.onnx', opset 21, is not supported: 2 nodes, 'first' and others"))
    #expect(text.contains("operator 'TreeEnsemble' of domain 'ai.onnx.ml'") && text.contains("'trees'"))
    #expect(text.contains("'com.microsoft'"))
    #expect(text.contains("operator 'Loop'") && text.contains("'loop'"))
  }

  @Test func opsetsOutOfRangeAreNamed() {
    let node = ONNXNode("Neg", inputs: ["x"], outputs: ["y"])
    #expect(Samples.refusal(Samples.model(opset: 99, [node])).contains("opset 99"))
    #expect(Samples.refusal(Samples.model(opset: 6, [node])).contains("accepted are 7 to"))
    var model = Samples.model([node])
    model.opsets = []
    #expect(Samples.refusal(model).contains("does not import"))
  }

  @Test func cyclesNameTheirNodes() {
    let text = Samples.refusal(
      Samples.model([
        ONNXNode("Add", name: "p", inputs: ["x", "c"], outputs: ["a"]),
        ONNXNode("Neg", name: "q", inputs: ["a"], outputs: ["b"]),
        ONNXNode("Neg", name: "r", inputs: ["b"], outputs: ["c"]),
        ONNXNode("Neg", name: "s", inputs: ["c"], outputs: ["y"]),
      ]))
    #expect(text.contains("cycle") && text.contains("'p'") && text.contains("'q'") && text.contains("'r'"))
    #expect(!text.contains("'s'"))
  }

  @Test func namesMustBeUniqueAndDefined() {
    let neg = ONNXNode("Neg", name: "n", inputs: ["x"], outputs: ["y"])
    #expect(Samples.refusal(Samples.model([neg, neg])).contains("defines 'y'"))
    #expect(
      Samples.refusal(Samples.model([ONNXNode("Neg", name: "n", inputs: ["ghost"], outputs: ["y"])]))
        .contains("node 'n' (Neg): reads 'ghost'"))
    #expect(Samples.refusal(Samples.model([neg], outputs: ["z"])).contains("output 'z': reads 'z'"))
    #expect(Samples.refusal(Samples.model([neg], outputs: ["y", "y"])).contains("listed twice"))
    #expect(
      Samples.refusal(Samples.model([ONNXNode("Neg", inputs: ["x"], outputs: ["x"])], outputs: ["x"]))
        .contains("value 'x': is defined twice"))
    #expect(
      Samples.refusal(Samples.model([neg], inputs: [("x", .float, [.value(1)]), ("x", .float, [.value(1)])]))
        .contains("input 'x': is defined twice"))
    var model = Samples.model([neg], constants: ["w": Tensor(f32: [1])])
    model.graph.initializers += model.graph.initializers
    #expect(Samples.refusal(model).contains("initializer 'w': is defined twice"))
  }

  @Test func wrongShapesNameTheNode() {
    let text = Samples.refusal(
      Samples.model(
        [ONNXNode("MatMul", name: "proj", inputs: ["x", "w"], outputs: ["y"])],
        constants: ["w": Tensor(f32: [1, 2, 3], [3, 1])]))
    #expect(text.contains("node 'proj' (MatMul)") && text.contains("f32[S, 4]") && text.contains("f32[3, 1]"))
  }

  @Test func attributesAreChecked() {
    func refusal(_ attributes: [ONNXAttribute], _ operation: String = "Concat") -> String {
      Samples.refusal(
        Samples.model([ONNXNode(operation, name: "n", inputs: ["x"], outputs: ["y"], attributes: attributes)])
      )
    }
    #expect(refusal([]).contains("lacks the attribute 'axis'"))
    #expect(refusal([ONNXAttribute("axis", .float(1))]).contains("of kind float, accepted is int"))
    #expect(
      refusal([ONNXAttribute("axis", .int(0)), ONNXAttribute("size", .int(0))]).contains(
        "'size', accepted are 'axis'"))
    #expect(refusal([ONNXAttribute("to", .int(8))], "Cast").contains("STRING"))
    #expect(refusal([ONNXAttribute("to", .int(99))], "Cast").contains("data type 99"))
  }

  @Test func operandCountsAreChecked() {
    func refusal(_ node: ONNXNode) -> String { Samples.refusal(Samples.model([node])) }
    #expect(refusal(ONNXNode("Add", inputs: ["x", ""], outputs: ["y"])).contains("lacks operand 1"))
    #expect(refusal(ONNXNode("Neg", inputs: ["x", "x"], outputs: ["y"])).contains("at most 1"))
    #expect(refusal(ONNXNode("Neg", inputs: ["x"], outputs: ["y", "z"])).contains("has 2 results"))
  }

  @Test func inputsMustBeDenseTensorsOfKnownRank() {
    func refusal(_ type: ONNXType) -> String {
      var model = Samples.model([ONNXNode("Neg", inputs: ["x"], outputs: ["y"])])
      model.graph.inputs = [ONNXValueInfo("x", type)]
      return Samples.refusal(model)
    }
    #expect(refusal(.tensor(.float, nil)).contains("input 'x': has no shape"))
    #expect(refusal(.tensor(ONNXDataType(rawValue: 8), [])).contains("STRING"))
    #expect(refusal(.sequence(.tensor(.float, nil))).contains("a sequence"))
    #expect(refusal(.none).contains("no declared type"))
  }

  /// Every prefix of a real graph's bytes, at each kilobyte, is refused or imported.
  @Test func truncatedFilesAreRefused() throws {
    let nodes = (0..<200).map {
      ONNXNode("Neg", name: "node \($0)", inputs: [$0 == 0 ? "x" : "v\($0)"], outputs: ["v\($0 + 1)"])
    }
    let bytes = try Samples.model(
      nodes, outputs: ["v200"], constants: ["w": Tensor(f32: [Float](repeating: 1, count: 4000))]
    ).encoded()
    for count in stride(from: 0, to: bytes.count, by: 97) {
      let storage = TensorStorage(byteCount: count)
      storage.base.copyMemory(from: bytes, byteCount: count)
      let model = try? ONNXModel(bytes: storage)
      if let model { _ = try? Module(importing: model) }
      #expect(model == nil || count > bytes.count - 100)
    }
  }

  @Test func filesAreNamed() throws {
    let error = #expect(throws: ImportError.self) { try Module(importing: "/nonexistent/model.onnx") }
    #expect(error?.description.hasPrefix("'/nonexistent/model.onnx': ") == true)
  }
}
