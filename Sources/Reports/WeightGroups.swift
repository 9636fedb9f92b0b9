import Operators
import PlanFormat
import Tensors

extension Program {
  /// The formats of weights that steps read as rows of blocks, by the number of the weight.
  var blockFormats: [Int: BlockFormat] {
    var formats: [Int: BlockFormat] = [:]
    for function in functions {
      for step in function.steps {
        for (operand, attribute) in OperatorSet.weightFormats(of: step.kernel)
        where function.has(operand, step) {
          guard case .weight(let weight) = function.values[Int(step.operands[operand])].place,
            case .string(let name)? = step.attributes[attribute]
          else { continue }
          formats[weight] = BlockFormat(rawValue: name)
        }
      }
    }
    return formats
  }
}

extension ModuleSummary.ConstantGroup {
  /// Weights by format, most bytes first. Elements of rows of blocks are numbers, not bytes.
  static func groups(_ program: Program) -> [ModuleSummary.ConstantGroup] {
    let formats = program.blockFormats
    let weights = program.weights.enumerated().map { index, weight in (weight, formats[index]) }
    return Dictionary(grouping: weights) { weight, format in format?.rawValue ?? weight.element.rawValue }
      .map { name, weights in
        ModuleSummary.ConstantGroup(
          element: name, count: weights.count,
          elements: weights.reduce(0) { sum, entry in
            let (weight, format) = entry
            let count = weight.shape.dropLast().reduce(1, *)
            return sum + count * (weight.shape.last.map { format?.columns(inBytes: $0) ?? $0 } ?? 1)
          }, bytes: weights.reduce(0) { $0 + $1.0.byteCount })
      }.sorted { ($1.bytes, $0.element) < ($0.bytes, $1.element) }
  }
}
