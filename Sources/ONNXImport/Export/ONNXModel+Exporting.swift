public import GraphIR
public import ONNXFormat
public import Operators

extension ONNXModel {
  /// Writes the first function of a module as an ONNX model; the weights are referred to, not copied.
  ///
  /// Operators that neither ONNX nor `com.microsoft` has are written as their decompositions. Reading the model back
  /// gives a function that computes the same.
  /// - Throws: ``ExportError`` naming a node that cannot be expressed.
  public init(exporting module: Module, operators: OperatorTable = OperatorSet.standard) throws(ExportError) {
    guard let function = module.functions.first else {
      throw ExportError(node: "", message: "the module has no function, accepted is one with at least one")
    }
    var exporter = GraphExporter(function, constants: module.constants, operators: operators)
    let graph = try exporter.run(name: function.name)
    self.init(opsets: [ONNXOpset("", exporter.opset)], graph: graph)
    if exporter.usesMicrosoft { opsets.append(ONNXOpset("com.microsoft", 1)) }
    producerName = "tandem"
  }
}
