import GraphIR
import ONNXFormat
import ONNXImport
import Operators
import Tensors
import Testing

@Suite struct ZooExportTests {
  /// Import, export, import: the same logits, bit for bit.
  @Test(
    arguments: Zoo.runnable.filter {
      ["gemma3_text", "mixtral"].contains($0.family) || $0.exporter == "genai4"
    })
  func exportedModelsComputeTheSame(_ entry: Zoo.Entry) throws {
    let ids = try NPY.read(entry.idsPath).integers
    var original = try Decoder(entry.path)
    let bytes = try ONNXModel(exporting: original.module).encoded()
    let storage = TensorStorage(byteCount: bytes.count)
    storage.base.copyMemory(from: bytes, byteCount: bytes.count)
    var again = Decoder(try Module(importing: try ONNXModel(bytes: storage)))
    let (expected, found) = (try original.feed(ids), try again.feed(ids))
    #expect(found.array(of: Float.self) == expected.array(of: Float.self))
  }

  @Test func operatorsWithoutAnONNXNameDecompose() throws {
    let graph = Graph()
    var builder = GraphBuilder(
      graph, constants: [:], operators: OperatorTable([OperatorSet.standard["exp"]!, Squares()]),
      symbols: SymbolSource())
    let x = builder.graph.addInput("x", TensorType(.f32, [Dim("S")]))
    let y = try builder("squares_of_exp", x)
    builder.graph.outputs = [("y", y), ("x_again", x)]
    let module = Module(functions: [Module.Function("main", builder.graph)])
    let model = try ONNXModel(exporting: module, operators: builder.operators)
    #expect(model.graph.nodes.map(\.operation) == ["Exp", "Identity"])
    #expect(model.graph.outputs.map(\.name) == ["y", "x_again"])
    #expect(throws: ExportError.self) { try ONNXModel(exporting: module, operators: OperatorTable([])) }
  }

  /// Stands for an operator that ONNX does not have.
  private struct Squares: Operator {
    let schema = OperatorSchema("squares_of_exp", "e to the power of each element.", operands: ["x"])

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }

    func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
      [try builder("exp", node.operands[0])]
    }
  }
}
