/// One application of an operator or function.
public struct ONNXNode: Sendable {
  public var name: String
  public var operation: String
  /// "" is the default domain.
  public var domain: String
  public var overload = ""
  /// Names of operands; "" marks an optional one that is absent.
  public var inputs: [String]
  /// Names of results; "" marks an optional one that is left out.
  public var outputs: [String]
  public var attributes: [ONNXAttribute]
  public var metadata: [ONNXProperty] = []

  public init(
    _ operation: String, domain: String = "", name: String = "", inputs: [String], outputs: [String],
    attributes: [ONNXAttribute] = []
  ) {
    self.operation = operation
    self.domain = domain
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
  }

  /// The node's name, or that of its first result.
  public var location: String { name.isEmpty ? outputs.first { !$0.isEmpty } ?? operation : name }

  public func attribute(_ name: String) -> ONNXAttribute.Value? {
    attributes.first { $0.name == name }?.value
  }
}
