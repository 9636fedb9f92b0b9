/// An ONNX model as its file says it: `ModelProto` without training and device parts.
///
/// Reading a model does not read its weights: tensors are views of the mapped file, or names of parts of other files
/// that ``ExternalData`` maps when a tensor is decoded.
public struct ONNXModel: Sendable {
  public var irVersion: Int
  public var producerName = ""
  public var producerVersion = ""
  public var domain = ""
  public var modelVersion = 0
  public var documentation = ""
  /// Version of each operator domain; "" and "ai.onnx" both name the default one.
  public var opsets: [ONNXOpset]
  public var graph: ONNXGraph
  public var functions: [ONNXFunction] = []
  public var metadata: [ONNXProperty] = []
  /// The file that the model was read from; empty for one made in memory.
  public var file = ""
  /// Where external tensors are looked up; nil for a model made in memory.
  public var externalData: ExternalData?

  public init(irVersion: Int = 10, opsets: [ONNXOpset], graph: ONNXGraph) {
    self.irVersion = irVersion
    self.opsets = opsets
    self.graph = graph
  }
}

/// The version of one operator domain that a model or function uses.
public struct ONNXOpset: Sendable, Equatable {
  public var domain: String
  public var version: Int

  public init(_ domain: String, _ version: Int) {
    self.domain = domain
    self.version = version
  }
}

/// A key and value of exporter metadata.
public struct ONNXProperty: Sendable, Equatable {
  public var key: String
  public var value: String

  public init(_ key: String, _ value: String) {
    self.key = key
    self.value = value
  }
}
