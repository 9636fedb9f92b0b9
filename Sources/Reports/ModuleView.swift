public import GraphIR
public import PlanFormat

/// A way to look at a module.
public enum ModuleView: String, Sendable, CaseIterable {
  /// What it consists of.
  case summary
  /// One row per node.
  case table
  /// The text form.
  case text
  /// A Graphviz graph.
  case dot
  /// For programs.
  case json
}

extension Module {
  /// The module in one of its views; ends with a line end.
  public func view(
    as view: ModuleView, operators: OperatorTable, ledger: [LedgerEntry] = []
  ) throws -> String {
    switch view {
    case .summary: ModuleSummary(self).text
    case .table: table(operators: operators)
    case .text: text
    case .dot: dot
    case .json: try json(operators: operators, ledger: ledger)
    }
  }
}
