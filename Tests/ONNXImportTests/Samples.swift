import GraphIR
import ONNXFormat
import ONNXImport
import Operators
import Tensors
import Testing

/// Models made in memory.
enum Samples {
  static func model(
    opset: Int = 21, _ nodes: [ONNXNode], inputs: [(String, ONNXDataType, [ONNXDim])] = [],
    outputs: [String] = ["y"], constants: [String: Tensor] = [:], functions: [ONNXFunction] = []
  ) -> ONNXModel {
    let declared = inputs.isEmpty ? [("x", .float, [.parameter("S"), .value(4)])] : inputs
    var model = ONNXModel(
      opsets: [ONNXOpset("", opset), ONNXOpset("com.microsoft", 1), ONNXOpset("local", 1)],
      graph: ONNXGraph(
        nodes: nodes, inputs: declared.map { ONNXValueInfo($0.0, $0.1, $0.2) },
        outputs: outputs.map { ONNXValueInfo($0, .none) },
        initializers: constants.sorted { $0.key < $1.key }.map { ONNXTensor($0.key, $0.value) }))
    model.functions = functions
    return model
  }

  /// The error's text; records an issue when there is none.
  static func refusal(_ model: ONNXModel, sourceLocation: SourceLocation = #_sourceLocation) -> String {
    let error = #expect(throws: ImportError.self, sourceLocation: sourceLocation) {
      try Module(importing: model)
    }
    return error?.description ?? ""
  }

  /// Imports and runs a model on one input `x`.
  static func run(_ model: ONNXModel, _ x: Tensor) throws -> [String: Tensor] {
    let module = try Module(importing: model)
    return try Interpreter(module).run(module.main, inputs: ["x": x])
  }
}

extension ONNXDataType {
  static let float = ONNXDataType(.f32)
  static let int64 = ONNXDataType(.i64)
}

extension Module {
  var operations: [String] { main.graph.order.map { main.graph[$0].operation } }
}
