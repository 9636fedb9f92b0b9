import GraphIR
import ONNXFormat

/// Finds everything in a list of nodes that has no operator here, before anything is translated.
struct Support {
  let operators: OperatorTable

  /// Handled by the importer itself.
  private static let structural: Set<String> = ["Constant", "If"]
  static let acceptedDomains = "'ai.onnx' (also written ''), 'com.microsoft' and the model's own functions"

  private struct Key: Hashable {
    var domain: String
    var operation: String
    var opset: Int
  }

  /// - Throws: ``ImportError`` that lists every unsupported operator with the number of its nodes.
  func check(_ nodes: [FlatNode]) throws(ImportError) {
    var missing: [Key: [String]] = [:]
    var order: [Key] = []
    for node in nodes where !isSupported(node) {
      let key = Key(domain: node.domain, operation: node.node.operation, opset: node.opset)
      if missing[key] == nil { order.append(key) }
      missing[key, default: []].append(node.node.location)
    }
    guard !order.isEmpty else { return }
    let lines = order.map { key in line(key, missing[key] ?? []) }
    let isForeign = order.contains { !isKnown($0.domain) || $0.opset == 0 }
    throw .unsupported(
      (lines.count == 1 ? "" : "\(lines.count) operators are not supported:\n  ")
        + lines.joined(separator: "\n  ")
        + (isForeign ? "\n  accepted domains are \(Self.acceptedDomains)" : ""))
  }

  private func isKnown(_ domain: String) -> Bool { domain.isEmpty || domain == "com.microsoft" }

  private func isSupported(_ node: FlatNode) -> Bool {
    guard isKnown(node.domain), node.opset > 0 else { return false }
    if node.domain.isEmpty, Self.structural.contains(node.node.operation) { return true }
    return Mnemonic.mnemonic(of: node.node.operation, domain: node.domain, in: operators) != nil
  }

  private func line(_ key: Key, _ nodes: [String]) -> String {
    let domain = OpsetTable.name(key.domain)
    let count = nodes.count == 1 ? "1 node" : "\(nodes.count) nodes"
    let opset = key.opset == 0 ? "which the model does not import" : "opset \(key.opset)"
    let reason = isKnown(key.domain) ? "is not supported" : "is of an unknown domain"
    return "operator '\(key.operation)' of domain '\(domain)', \(opset), \(reason): \(count), '\(nodes[0])'"
      + (nodes.count > 1 ? " and others" : "")
  }
}
