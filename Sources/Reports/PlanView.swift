public import PlanFormat

/// A way to look at a plan.
public enum PlanView: String, Sendable, CaseIterable {
  /// What it consists of.
  case summary
  /// One row per step.
  case table
  /// The disassembly.
  case text
  /// For programs.
  case json
}

extension PlanFile {
  /// The plan in one of its views; ends with a line end.
  public func view(as view: PlanView) throws -> String {
    switch view {
    case .summary: PlanSummary(self).text
    case .table: program.functions.map { PlanTable(program, $0).text }.joined(separator: "\n")
    case .text: PlanDisassembly(program).text
    case .json: try JSONText.encode(PlanJSON(self))
    }
  }
}
