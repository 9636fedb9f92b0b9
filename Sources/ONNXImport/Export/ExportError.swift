/// A function that ONNX cannot express.
public struct ExportError: Error, CustomStringConvertible, Sendable {
  /// The node's location.
  public let node: String
  /// What was found and what would be accepted.
  public let message: String

  public var description: String { "node '\(node)': \(message)" }
}
