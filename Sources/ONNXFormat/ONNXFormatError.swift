/// A file that is no readable ONNX model, or a part of one that cannot be used.
public struct ONNXFormatError: Error, CustomStringConvertible, Sendable {
  public enum Code: Sendable {
    /// The input is at fault: damaged, missing, or against the format's rules.
    case invalid
    /// Legal ONNX that this package does not read.
    case unsupported
  }

  public var code: Code
  /// The model file, empty for a model that was made in memory.
  public var file: String
  /// The part of it: `tensor 'w'`, `node 'layer.0/attn'`; empty for the file as a whole.
  public var location: String
  /// What was found and what would be accepted.
  public var message: String

  public init(file: String = "", location: String = "", _ message: String) {
    self.init(.invalid, file: file, location: location, message)
  }

  public init(_ code: Code, file: String = "", location: String = "", _ message: String) {
    self.code = code
    self.file = file
    self.location = location
    self.message = message
  }

  public var description: String {
    [file.isEmpty ? "" : "'\(file)'", location, message].filter { !$0.isEmpty }.joined(separator: ": ")
  }
}
