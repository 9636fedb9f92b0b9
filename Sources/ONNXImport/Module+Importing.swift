public import GraphIR
public import ONNXFormat
public import Operators

extension Module {
  /// Reads a model file and brings it to IR; weights stay in the mapped files.
  ///
  /// - Throws: ``ImportError`` that names file and node, what was found and what would be accepted.
  public init(importing path: String, operators: OperatorTable = OperatorSet.standard) throws(ImportError) {
    let model: ONNXModel
    do throws(ONNXFormatError) { model = try ONNXModel(contentsOf: path) } catch { throw ImportError(error) }
    try self.init(importing: model, operators: operators)
  }

  /// Brings a model to IR: one function `main` over typed values, every operator with the newest opset's meaning.
  ///
  /// 1. Calls of model-local functions are replaced by their bodies, and nodes are sorted.
  /// 2. Every operator must be known; all that are not are reported at once.
  /// 3. Each node is translated to the newest opset, its attributes are typed by the operator's schema, and its result
  ///    types inferred. Declared types only fill in extents that inference cannot know.
  ///
  /// Names of inputs, outputs, values and nodes are the exporter's. Initializers that nothing reads are dropped.
  /// - Throws: ``ImportError``.
  public init(importing model: ONNXModel, operators: OperatorTable = OperatorSet.standard) throws(ImportError)
  {
    do throws(ImportError) {
      var importer = GraphImporter(model, operators: operators)
      try importer.run()
      let builder = importer.builder
      var metadata = [
        "producer": [model.producerName, model.producerVersion].filter { !$0.isEmpty }.joined(separator: " "),
        "opsets": try OpsetTable(model.opsets).summary,
      ]
      // What the exporter says about its model, such as the context length; our own keys win.
      for property in model.metadata where metadata[property.key] == nil {
        metadata[property.key] = property.value
      }
      self.init(
        functions: [Function("main", builder.graph)], constants: builder.constants, metadata: metadata)
      let violations = self.violations(operators: operators)
      guard violations.isEmpty else {
        throw ImportError(
          .internalError,
          "the imported graph breaks \(violations.count) rules:\n  "
            + violations.prefix(10).map(\.description).joined(separator: "\n  "))
      }
    } catch {
      var located = error
      if located.file.isEmpty { located.file = model.file }
      throw located
    }
  }
}
