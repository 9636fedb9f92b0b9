public import GraphIR
import Tensors

extension Module {
  /// One row per node: place, operator, result types, floating-point operations, bytes moved, location.
  ///
  /// - Parameter binding: values for symbols. Work that still depends on a symbol is shown as `-`.
  public func table(operators: OperatorTable, binding: [String: Int] = [:]) -> String {
    var text = ""
    for function in functions {
      if !text.isEmpty { text += "\n" }
      text += "@\(function.name)\n" + function.graph.table(operators: operators, binding: binding)
    }
    return text
  }
}

extension Graph {
  private static let typeColumns = 40

  fileprivate func table(operators: OperatorTable, binding: [String: Int]) -> String {
    var rows = [["#", "operator", "results", "flops", "bytes", "location"]]
    for (index, id) in order.enumerated() {
      let node = self[id]
      let types = node.results.map { $0.map { self[$0].type.description } ?? "_" }.joined(separator: ", ")
      let work = work(of: node, operators: operators)
      rows.append([
        "\(index)", node.operation, TextTable.cut(types, to: Self.typeColumns),
        work?.flops.evaluated(binding).map(Quantity.count) ?? "-",
        work?.bytes.evaluated(binding).map(Quantity.bytes) ?? "-", node.location,
      ])
    }
    let taken = (0..<5).reduce(0) { width, column in width + (rows.map { $0[column].count }.max() ?? 0) + 2 }
    let left = max(20, TextTable.maximumColumns - taken)
    for row in rows.indices { rows[row][5] = TextTable.cutFront(rows[row][5], to: left) }
    return TextTable(rows: rows, alignments: [.right, .left, .left, .right, .right]).text
  }

  /// The work of a node; nil when its operator is not known.
  func work(of node: Node, operators: OperatorTable) -> Work? {
    operators[node.operation]?.work(
      node.operands.map { $0.map { self[$0].type } }, node.results.map { $0.map { self[$0].type } },
      node.attributes)
  }
}
