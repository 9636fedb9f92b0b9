import PlanFormat
import Tensors

/// The steps of a program as text, one per line, with where each value lives.
///
///     func @main(%input_ids: i64[batch, S]) {
///       %h: f32[batch, S, 640] in slot 3 = linear(%x, @m.wq) {…} loc("/model/q")  // feeds caches
///       return %logits
///     }
struct PlanDisassembly {
  private let program: Program

  init(_ program: Program) { self.program = program }

  var text: String {
    var lines: [String] = []
    for weight in program.weights {
      let shape = weight.shape.map(String.init).joined(separator: ", ")
      lines.append("weight @\(weight.name): \(weight.element)[\(shape)] at \(weight.offset)")
    }
    for function in program.functions { lines += [""] + self.lines(of: function) }
    return lines.joined(separator: "\n") + "\n"
  }

  private func lines(of function: Function) -> [String] {
    func name(_ value: Int) -> String {
      if case .weight(let index) = function.values[value].place { return "@\(program.weights[index].name)" }
      return "%\(function.values[value].name)"
    }
    let inputs = function.inputs.map { "\(name($0.value)): \(function.type(of: $0.value))" }
    var lines = ["func @\(function.name)(\(inputs.joined(separator: ", "))) {"]
    for state in function.states {
      lines.append("  cache \(name(state.input)) <- \(name(state.output)) along axis \(state.axis)")
    }
    for step in function.steps {
      let results = step.results.map { result in
        guard result >= 0 else { return "_" }
        let value = Int(result)
        guard case .slot(let slot) = function.values[value].place else { return name(value) }
        return "\(name(value)): \(function.type(of: value)) in slot \(slot)"
      }
      let operands = step.operands.map { $0 < 0 ? "_" : name(Int($0)) }
      var line = "  \(results.joined(separator: ", ")) = \(step.kernel)(\(operands.joined(separator: ", ")))"
      line += Self.text(of: step.attributes)
      if !step.location.isEmpty { line += " loc(\"\(step.location)\")" }
      lines.append(line + (step.feedsState ? "  // feeds caches" : ""))
    }
    let outputs = function.outputs.map { "\($0.name): \(name($0.value))" }
    return lines + ["  return \(outputs.joined(separator: ", "))", "}"]
  }

  private static func text(of attributes: Attributes) -> String {
    guard !attributes.isEmpty else { return "" }
    let entries = attributes.values.sorted { $0.key < $1.key }.map { "\($0.key) = \(text(of: $0.value))" }
    return " {\(entries.joined(separator: ", "))}"
  }

  private static func text(of value: AttributeValue) -> String {
    switch value {
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .string(let value): "\"\(value)\""
    case .ints(let values): "\(values)"
    case .floats(let values): "\(values)"
    case .strings(let values): "\(values)"
    case .element(let element): element.rawValue
    case .tensor(let tensor): "\(tensor.type)"
    }
  }
}
