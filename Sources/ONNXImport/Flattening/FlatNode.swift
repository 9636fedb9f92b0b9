import ONNXFormat

/// A node outside of any function, with the version of its operator.
struct FlatNode {
  var node: ONNXNode
  /// "" for the default domain under any of its names.
  var domain: String
  /// The version of the domain that the node's model or function imports.
  var opset: Int
  /// All imports, for nodes with bodies.
  var opsets: OpsetTable
}

/// Versions by domain.
struct OpsetTable {
  /// Opsets of the default domain whose operators can be brought to the newest meaning.
  static let accepted = 7...28

  private var versions: [String: Int] = [:]

  static func normalized(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }

  static func name(_ domain: String) -> String { domain.isEmpty ? "ai.onnx" : domain }

  /// - Throws: ``ImportError`` when the default domain's version is out of range.
  init(_ opsets: [ONNXOpset], inheriting outer: OpsetTable? = nil) throws(ImportError) {
    versions = outer?.versions ?? [:]
    for opset in opsets {
      let domain = Self.normalized(opset.domain)
      versions[domain] = opset.version
      if domain.isEmpty, !Self.accepted.contains(opset.version) {
        throw .unsupported(
          "uses opset \(opset.version) of domain 'ai.onnx', accepted are "
            + "\(Self.accepted.lowerBound) to \(Self.accepted.upperBound)")
      }
    }
  }

  subscript(domain: String) -> Int? { versions[domain] }

  var summary: String {
    versions.sorted { $0.key < $1.key }.map { "\(Self.name($0.key)) \($0.value)" }.joined(separator: ", ")
  }
}
