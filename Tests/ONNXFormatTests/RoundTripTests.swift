import Foundation
import ONNXFormat
import Tensors
import Testing

@Suite struct RoundTripTests {
  @Test func everyKindOfAttributeAndType() throws {
    let body = ONNXGraph(name: "body", nodes: [ONNXNode("Neg", inputs: ["a"], outputs: ["b"])])
    let tensor = ONNXTensor("t", Tensor(i64: [1, 2]))
    let values: [ONNXAttribute.Value] = [
      .float(1.5), .int(-3), .string("é"), .tensor(tensor), .graph(body), .floats([1, 2]), .ints([1, -2]),
      .strings(["a", ""]), .tensors([tensor]), .graphs([body]), .reference("outer"),
      .type(.sequence(.tensor(.init(.f16), nil))), .types([.optional(.map(.tensor(.init(.i8), [])))]),
    ]
    var node = ONNXNode("Op", domain: "d", name: "n", inputs: ["x", "", "z"], outputs: ["", "y"])
    node.overload = "o"
    node.metadata = [ONNXProperty("k", "v")]
    node.attributes = values.enumerated().map { ONNXAttribute("a\($0)", $1) }
    var function = ONNXFunction(
      "f", domain: "d", inputs: ["x"], outputs: ["y"], nodes: [node], opsets: [ONNXOpset("", 20)])
    function.attributes = ["p"]
    function.defaults = [ONNXAttribute("q", .int(1))]
    var model = try Samples.model(initializer: tensor)
    model.functions = [function]
    model.metadata = [ONNXProperty("a", "b")]
    model.graph.valueInfos = [
      ONNXValueInfo("v", .init(.bf16), [.value(2), .parameter("P + S"), .unknown]),
      ONNXValueInfo("w", .tensor(.init(.f32), nil)), ONNXValueInfo("n", .none),
    ]
    let read = try ONNXModel(bytes: Samples.storage(try model.encoded()))
    let again = try ONNXModel(bytes: Samples.storage(try read.encoded()))
    #expect(try read.encoded() == model.encoded())
    #expect(try again.encoded() == model.encoded())
    let attributes = read.functions[0].nodes[0].attributes
    #expect(attributes.map(\.value.kind) == values.map(\.kind))
    #expect(read.functions[0].nodes[0].inputs == ["x", "", "z"])
    #expect(read.functions[0].nodes[0].outputs == ["", "y"])
    #expect(read.graph.valueInfos.map(\.type) == model.graph.valueInfos.map(\.type))
    guard case .strings(let strings) = attributes[7].value, case .string(let text) = attributes[2].value
    else {
      Issue.record("strings were not read")
      return
    }
    #expect(strings == ["a", ""] && text == "é")
  }

  @Test func arraysOfNumPyRoundTrip() throws {
    let folder = try TemporaryFolder()
    for tensor in [
      Tensor(f32: [1, 2, 3, 4, 5, 6], [2, 3]), Tensor(i64: [7], []), Tensor(bool: [true]),
      Tensor(.f16, [0, 3]),
    ] {
      let path = try folder.write("a.npy", try NPY.encoded(tensor))
      let read = try NPY.read(path)
      #expect(read.shape == tensor.shape && read.element == tensor.element)
      #expect(read.bytes.elementsEqual(tensor.bytes))
    }
    #expect(throws: NPY.Failure.self) { try NPY.encoded(Tensor(.bf16, [1])) }
    let fortran = try NPY.encoded(Tensor(f32: [1, 2, 3, 4], [2, 2]))
    let header = String(decoding: fortran[10..<128], as: UTF8.self).replacing("False", with: "True ")
    let path = try folder.write("f.npy", Array(fortran[..<10]) + Array(header.utf8) + Array(fortran[128...]))
    let error = #expect(throws: NPY.Failure.self) { try NPY.read(path) }
    #expect(error?.message.contains("Fortran") == true)
    for count in 0..<fortran.count {
      _ = try? NPY.read(try folder.write("t.npy", Array(fortran[..<count])))
    }
  }
}
