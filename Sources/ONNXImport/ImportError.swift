import ONNXFormat

/// A model that cannot be brought to IR.
public struct ImportError: Error, CustomStringConvertible, Sendable {
  public enum Code: Sendable {
    /// The input breaks ONNX's rules, or the file cannot be read.
    case invalid
    /// Legal ONNX that is not implemented.
    case unsupported
    /// The IR that came out breaks a rule: a bug of ours.
    case internalError
  }

  public var code: Code
  /// The model file; empty for a model that was made in memory.
  public var file = ""
  /// `node 'layer.0/attn' (MatMul)`, `input 'x'`; empty for the model as a whole.
  public var location: String
  /// What was found and what would be accepted.
  public var message: String

  init(_ code: Code, _ message: String, at location: String = "") {
    self.code = code
    self.message = message
    self.location = location
  }

  init(_ error: ONNXFormatError) {
    code = error.code == .unsupported ? .unsupported : .invalid
    file = error.file
    location = error.location
    message = error.message
  }

  static func invalid(_ message: String, at location: String = "") -> ImportError {
    ImportError(.invalid, message, at: location)
  }

  static func unsupported(_ message: String, at location: String = "") -> ImportError {
    ImportError(.unsupported, message, at: location)
  }

  /// The same error with a location, if it has none yet.
  func located(_ place: String) -> ImportError {
    var error = self
    error.location = location.isEmpty || location == place ? place : "\(place): \(location)"
    return error
  }

  public var description: String {
    [file.isEmpty ? "" : "'\(file)'", location, message].filter { !$0.isEmpty }.joined(separator: ": ")
  }
}

extension ONNXNode {
  /// How messages name the node.
  var place: String { "node '\(location)' (\(operation))" }
}
