import Tensors

// Invariants of a function, by the code of their violation:
//
//   definition   every value in use is an input, a constant or a result, and its definition points back at it
//   order        an operand is defined before it is used; a value is defined once
//   name         names of values in use are not empty and unique; so are names of inputs and outputs
//   input        input i of the function is defined as input i
//   output       outputs are values in use
//   constant     a constant exists in the module, with the type that is recorded
//   operator     the operator exists
//   operands     as many operands as the schema takes; required ones are present
//   attributes   attributes are known to the schema and of its kind; required ones are present
//   results      as many results as the schema gives
//   type         the recorded types agree with those that the operator infers: element, rank, and every dim
//                that is known to both
//
// And of a module:
//
//   function     names of functions are unique

/// One broken invariant.
public struct Violation: Sendable, CustomStringConvertible {
  public enum Code: String, Sendable, CaseIterable {
    case definition, order, name, input, output, constant, `operator`, operands, attributes, results, type,
      function
  }

  public let code: Code
  /// Lower case: what was found and what would be accepted.
  public let message: String
  public let function: String
  /// The line of the node in the text form; empty when no node is at fault.
  public let context: String

  public var description: String {
    "@\(function): \(code.rawValue): \(message)" + (context.isEmpty ? "" : "\n    \(context)")
  }
}

extension Module {
  /// All broken invariants, in the order of the text; empty when the module is sound.
  public func violations(operators: OperatorTable) -> [Violation] {
    var violations: [Violation] = []
    var seen: Set<String> = []
    for function in functions {
      if !seen.insert(function.name).inserted {
        violations.append(
          Violation(code: .function, message: "the name is taken", function: function.name, context: ""))
      }
      var verifier = GraphVerifier(function, constants: constants, operators: operators)
      verifier.run()
      violations += verifier.violations
    }
    return violations
  }
}

private struct GraphVerifier {
  let name: String
  let graph: Graph
  let constants: [String: Tensor]
  let operators: OperatorTable
  let symbols: SymbolSource
  var violations: [Violation] = []
  /// The node at hand, if one is.
  private var node: NodeID?
  private var defined: Set<ValueID> = []
  /// Constants that were checked.
  private var seenConstants: Set<ValueID> = []
  private var names: [String: ValueID] = [:]

  init(_ function: Module.Function, constants: [String: Tensor], operators: OperatorTable) {
    name = function.name
    graph = function.graph
    self.constants = constants
    self.operators = operators
    symbols = SymbolSource(unusedIn: Module(functions: [function]))
  }

  private mutating func report(_ code: Violation.Code, _ message: String) {
    let context = node.map { graph.text(of: $0) } ?? ""
    violations.append(Violation(code: code, message: message, function: name, context: context))
  }

  private func text(_ value: ValueID) -> String {
    graph.contains(value) ? "'%\(Spelling.name(graph[value].name))'" : "value \(value.index)"
  }

  /// What the value says that it is.
  private func place(of value: ValueID) -> String {
    switch graph[value].definition {
    case .input(let index): "input \(index)"
    case .constant(let name): "constant '@\(Spelling.name(name))'"
    case .result(let node, let index): "result \(index) of node \(node.index)"
    case .none: "removed"
    }
  }

  mutating func run() {
    for (index, input) in graph.inputs.enumerated() {
      if graph[input].definition != .input(index) {
        report(.input, "input \(index), \(text(input)), is \(place(of: input))")
      }
      define(input)
    }
    for id in graph.order {
      node = id
      check(graph[id], id)
    }
    node = nil
    checkOutputs()
  }

  private mutating func define(_ value: ValueID) {
    if !defined.insert(value).inserted { report(.order, "\(text(value)) is defined twice") }
    checkName(of: value)
  }

  private mutating func checkName(of value: ValueID) {
    let name = graph[value].name
    if name.isEmpty { report(.name, "value \(value.index) has no name") }
    if let other = names.updateValue(value, forKey: name), other != value {
      report(.name, "two values are named \(text(value))")
    }
  }

  // MARK: Nodes

  private mutating func check(_ node: Node, _ id: NodeID) {
    let known = node.operands.map { $0.map { checkUse(of: $0) } ?? true }
    for (index, result) in node.results.enumerated() {
      guard let result else { continue }
      guard graph.contains(result) else {
        report(.definition, "result \(index) is value \(result.index), which does not exist")
        continue
      }
      if graph[result].definition != .result(id, index) {
        report(.definition, "result \(index), \(text(result)), is \(place(of: result))")
      }
      define(result)
    }
    guard let definition = operators[node.operation] else {
      return report(.operator, "there is no operator '\(node.operation)'")
    }
    let count = violations.count
    check(node, against: definition.schema)
    if violations.count == count, known.allSatisfy({ $0 }) { checkTypes(of: node, definition) }
  }

  /// Whether a value may be used here.
  private mutating func checkUse(of value: ValueID) -> Bool {
    guard graph.contains(value) else {
      report(.definition, "value \(value.index) does not exist")
      return false
    }
    switch graph[value].definition {
    case .none:
      report(.definition, "\(text(value)) was removed")
      return false
    case .constant(let name): return checkConstant(value, name)
    case .input, .result:
      if defined.contains(value) { return true }
      report(.order, "\(text(value)) is used before it is defined")
      return false
    }
  }

  private mutating func checkConstant(_ value: ValueID, _ name: String) -> Bool {
    guard let tensor = constants[name] else {
      report(.constant, "there is no constant '@\(Spelling.name(name))'")
      return false
    }
    if !seenConstants.insert(value).inserted { return true }
    checkName(of: value)
    if tensor.type != graph[value].type {
      report(.constant, "'@\(Spelling.name(name))' is \(tensor.type), the value says \(graph[value].type)")
    }
    return true
  }

  private mutating func check(_ node: Node, against schema: OperatorSchema) {
    if let complaint = schema.complaint(aboutOperands: node.operands.map { $0 != nil }) {
      report(.operands, "'\(schema.name)' \(complaint)")
    }
    if let complaint = schema.complaint(aboutResults: node.results.count) {
      report(.results, "'\(schema.name)' \(complaint)")
    }
    for complaint in schema.complaints(about: node.attributes) {
      report(.attributes, "'\(schema.name)' \(complaint)")
    }
  }

  private mutating func checkTypes(of node: Node, _ definition: any Operator) {
    let facts: [ValueFact]
    do throws(OperatorError) {
      let operands = node.operands.map { $0.map { ValueFact(graph[$0].type, content: graph[$0].content) } }
      facts = try definition.infer(
        InferenceCall(operands, node.attributes, resultCount: node.results.count, symbols: symbols))
    } catch {
      return report(.type, error.message)
    }
    guard facts.count >= node.results.count else {
      return report(.results, "'\(node.operation)' infers \(facts.count) of \(node.results.count) results")
    }
    for (result, fact) in zip(node.results, facts) {
      guard let result, graph.contains(result), !UnknownDims.agree(graph[result].type, fact.type) else {
        continue
      }
      report(.type, "\(text(result)) is recorded as \(graph[result].type), inferred is \(fact.type)")
    }
  }

  // MARK: Outputs

  private mutating func checkOutputs() {
    var seen: Set<String> = []
    for output in graph.outputs {
      if output.name.isEmpty { report(.name, "an output has no name") }
      if !seen.insert(output.name).inserted { report(.name, "two outputs are named '\(output.name)'") }
      if !graph.contains(output.value) {
        report(.output, "output '\(output.name)' is value \(output.value.index), which does not exist")
      } else if case .constant(let name) = graph[output.value].definition {
        _ = checkConstant(output.value, name)
      } else if !defined.contains(output.value) {
        report(.output, "output '\(output.name)' is \(text(output.value)), which nothing defines")
      }
    }
  }
}
