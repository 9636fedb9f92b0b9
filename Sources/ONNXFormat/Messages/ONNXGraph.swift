/// Nodes over named values: a model's main graph, or the body of a control-flow node.
public struct ONNXGraph: Sendable {
  public var name: String
  public var nodes: [ONNXNode]
  public var inputs: [ONNXValueInfo]
  public var outputs: [ONNXValueInfo]
  public var initializers: [ONNXTensor]
  /// What the exporter says about intermediate values.
  public var valueInfos: [ONNXValueInfo] = []
  /// Names of sparse initializers; their content is not read.
  public var sparseInitializers: [String] = []
  public var documentation = ""
  public var metadata: [ONNXProperty] = []

  public init(
    name: String = "main", nodes: [ONNXNode] = [], inputs: [ONNXValueInfo] = [],
    outputs: [ONNXValueInfo] = [],
    initializers: [ONNXTensor] = []
  ) {
    self.name = name
    self.nodes = nodes
    self.inputs = inputs
    self.outputs = outputs
    self.initializers = initializers
  }
}

/// A model-local function: an operator defined by nodes.
public struct ONNXFunction: Sendable {
  public var name: String
  public var domain: String
  public var overload = ""
  public var inputs: [String]
  public var outputs: [String]
  /// Names of attributes that every call must give.
  public var attributes: [String] = []
  /// Attributes that a call may leave out, with their defaults.
  public var defaults: [ONNXAttribute] = []
  public var nodes: [ONNXNode]
  public var opsets: [ONNXOpset]
  public var valueInfos: [ONNXValueInfo] = []
  public var documentation = ""
  public var metadata: [ONNXProperty] = []

  public init(
    _ name: String, domain: String, inputs: [String], outputs: [String], nodes: [ONNXNode],
    opsets: [ONNXOpset]
  ) {
    self.name = name
    self.domain = domain
    self.inputs = inputs
    self.outputs = outputs
    self.nodes = nodes
    self.opsets = opsets
  }
}
