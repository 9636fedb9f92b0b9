import PlanFormat
import Tensors

/// One row per step of a function: place, kernel, result types, weight bytes per token, location.
struct PlanTable {
  private static let typeColumns = 40

  private let program: Program
  private let function: Function

  init(_ program: Program, _ function: Function) {
    self.program = program
    self.function = function
  }

  var text: String {
    let traffic = PlanTraffic(program, function)
    var rows = [["#", "kernel", "results", "weights", "location"]]
    for (index, step) in function.steps.enumerated() {
      let types = step.results.map { $0 < 0 ? "_" : "\(function.type(of: Int($0)))" }.joined(separator: ", ")
      let bytes = traffic.bytes(of: step)
      rows.append([
        "\(index)", step.kernel, TextTable.cut(types, to: Self.typeColumns),
        bytes == 0 ? "" : Quantity.bytes(bytes), step.location,
      ])
    }
    let taken = (0..<4).reduce(0) { width, column in width + (rows.map { $0[column].count }.max() ?? 0) + 2 }
    let left = max(20, TextTable.maximumColumns - taken)
    for row in rows.indices { rows[row][4] = TextTable.cutFront(rows[row][4], to: left) }
    return "@\(function.name)\n" + TextTable(rows: rows, alignments: [.right, .left, .left, .right]).text
  }
}
