public import Tensors

/// A text file that holds no module.
public struct ModuleFileError: Error, CustomStringConvertible, Sendable {
  public let path: String
  public let cause: ParseError

  public var description: String { "\(path):\(cause)" }
}

extension Module {
  /// Where the tensors of a text file lie: `stage.ir` has them in `stage.weights`.
  public static func weightsPath(besides path: String) -> String {
    (path.hasSuffix(".ir") ? String(path.dropLast(3)) : path) + ".weights"
  }

  /// Writes the text form, and the tensors that do not fit it beside it. The text is written last.
  ///
  /// - Parameter heading: lines of comment to begin with.
  public func write(to path: String, heading: [String] = []) throws(FileError) {
    let printed = printed()
    if !printed.blobs.isEmpty { try WeightsFile.write(printed.blobs, to: Self.weightsPath(besides: path)) }
    let file = try FileReplacement(path)
    try file.write(Array((heading.map { "// \($0)\n" }.joined() + printed.text).utf8))
    try file.commit()
  }

  /// Reads a text file; constants are views of the weights file beside it, which need not exist when the text
  /// refers to none.
  ///
  /// - Throws: ``FileError`` or ``ModuleFileError``.
  public init(contentsOf path: String, operators: OperatorTable) throws {
    let file = try MappedFile(path)
    let text = withExtendedLifetime(file) { String(decoding: file.bytes, as: UTF8.self) }
    var blobs: [Tensor] = []
    if text.contains("blob(") { blobs = try WeightsFile.read(Self.weightsPath(besides: path)) }
    do throws(ParseError) {
      try self.init(parsing: text, operators: operators, blobs: blobs)
    } catch {
      throw ModuleFileError(path: path, cause: error)
    }
  }
}
