public import Tensors

extension Module {
  /// Reads the text form. Types are checked, and content facts recomputed, by the operators' own inference.
  ///
  /// - Parameter blobs: what `blob(i)` stands for: ``ModuleText/blobs``, or the tensors of a ``WeightsFile``.
  /// - Throws: the first error, at its line and column.
  public init(parsing text: String, operators: OperatorTable, blobs: [Tensor] = []) throws(ParseError) {
    let source = SourceText(text)
    var parser = try SyntaxParser(source, blobs: blobs)
    let metadata = try parser.metadata()
    let constants = try parser.constants()
    let functions = try parser.functions()
    let start = functions.map { UnknownDims.next(after: $0.types) }.max() ?? 0
    let symbols = SymbolSource(startingAt: start)
    self.init(constants: constants, metadata: metadata)
    for function in functions {
      var elaboration = FunctionElaboration(
        function, source: source, constants: constants, operators: operators, symbols: symbols,
        firstFreshSymbol: start)
      self.functions.append(Function(function.name, try elaboration.run(), bounds: function.bounds))
    }
  }
}

extension FunctionSyntax {
  /// All types that the function mentions.
  var types: [TensorType] { inputs.map(\.type) + nodes.flatMap { $0.types.compactMap(\.type) } }
}

/// Makes a graph of a function as written.
///
/// 1. Inputs are added as written.
/// 2. For each node, operands are looked up, and the operator infers the facts of the results.
/// 3. The types as written must agree with the inferred ones, and win. Where a size is unknown to inference,
///    the written one takes its place in content facts.
/// 4. Outputs are looked up; their types must be those of their values.
private struct FunctionElaboration {
  let function: FunctionSyntax
  let source: SourceText
  let constants: [String: Tensor]
  let operators: OperatorTable
  let symbols: SymbolSource
  let firstFreshSymbol: Int
  var graph = Graph()
  /// Values by the names in the text; constants have names of their own.
  var values: [String: ValueID] = [:]
  /// Names that the text gives to values, and that constants must therefore not take.
  let reserved: Set<String>
  /// Sizes that inference could not tell, by what the text says.
  var known: [String: Dim] = [:]

  init(
    _ function: FunctionSyntax, source: SourceText, constants: [String: Tensor], operators: OperatorTable,
    symbols: SymbolSource, firstFreshSymbol: Int
  ) {
    self.function = function
    self.source = source
    self.constants = constants
    self.operators = operators
    self.symbols = symbols
    self.firstFreshSymbol = firstFreshSymbol
    reserved = Set(function.inputs.map(\.name)).union(
      function.nodes.flatMap { $0.results.compactMap(\.name) })
  }

  mutating func run() throws(ParseError) -> Graph {
    for input in function.inputs {
      try checkIsNew(input.name, at: input.offset)
      values[input.name] = graph.addInput(input.name, input.type)
    }
    for node in function.nodes { try add(node) }
    try addOutputs()
    recallKnownSizes()
    return graph
  }

  private func checkIsNew(_ name: String, at offset: Int) throws(ParseError) {
    if values[name] != nil { throw source.error("'%\(Spelling.name(name))' is defined twice", at: offset) }
  }

  private mutating func value(_ operand: OperandSyntax) throws(ParseError) -> ValueID? {
    switch operand.kind {
    case .absent: return nil
    case .value(let name):
      guard let id = values[name] else {
        let reason = reserved.contains(name) ? "used before it is defined" : "not defined"
        throw source.error("'%\(Spelling.name(name))' is \(reason)", at: operand.offset)
      }
      return id
    case .constant(let name):
      guard let tensor = constants[name] else {
        throw source.error("there is no constant '@\(Spelling.name(name))'", at: operand.offset)
      }
      return graph.addConstant(
        name, tensor.type, content: Graph.trackedContent(of: tensor), valueName: unreserved(name))
    }
  }

  /// `name`, or `name.1`, `name.2`, ... if the text uses it for a value.
  private func unreserved(_ name: String) -> String {
    var candidate = name
    var suffix = 1
    while reserved.contains(candidate) {
      candidate = "\(name).\(suffix)"
      suffix += 1
    }
    return candidate
  }

  // MARK: Nodes

  private mutating func add(_ node: NodeSyntax) throws(ParseError) {
    guard let definition = operators[node.operation] else {
      throw source.error("there is no operator '\(node.operation)'", at: node.offset)
    }
    guard node.types.count == node.results.count else {
      throw source.error(
        "the node has \(node.results.count) results and \(node.types.count) types", at: node.offset)
    }
    var operands: [ValueID?] = []
    for operand in node.operands { operands.append(try value(operand)) }
    let facts = try infer(node, definition, operands)
    var results: [(name: String, fact: ValueFact)?] = []
    for (index, result) in node.results.enumerated() {
      results.append(try self.result(result, type: node.types[index], inferred: facts[index]))
    }
    let ids = graph.append(
      node.operation, operands, attributes: node.attributes, results: results, location: node.location)
    for (index, result) in node.results.enumerated() {
      guard let name = result.name else { continue }
      try checkIsNew(name, at: result.offset)
      values[name] = ids[index]
    }
  }

  private func infer(
    _ node: NodeSyntax, _ definition: any Operator, _ operands: [ValueID?]
  ) throws(ParseError) -> [ValueFact] {
    let schema = definition.schema
    if let complaint = schema.complaint(aboutOperands: operands.map { $0 != nil })
      ?? schema.complaint(aboutResults: node.results.count) ?? schema.complaints(about: node.attributes).first
    {
      throw source.error("'\(node.operation)' \(complaint)", at: node.offset)
    }
    let facts: [ValueFact]
    do throws(OperatorError) {
      let operands = operands.map { $0.map { ValueFact(graph[$0].type, content: graph[$0].content) } }
      facts = try definition.infer(
        InferenceCall(operands, node.attributes, resultCount: node.results.count, symbols: symbols))
    } catch {
      throw source.error("'\(node.operation)': \(error.message)", at: node.offset)
    }
    guard facts.count >= node.results.count else {
      throw source.error(
        "'\(node.operation)' has \(facts.count) results, the node names \(node.results.count)",
        at: node.offset)
    }
    return facts
  }

  /// The result as written, with the content that is inferred.
  private mutating func result(
    _ result: (name: String?, offset: Int), type written: (type: TensorType?, offset: Int),
    inferred: ValueFact
  ) throws(ParseError) -> (name: String, fact: ValueFact)? {
    guard let name = result.name else {
      if written.type == nil { return nil }
      throw source.error("a result that is left out has the type '_'", at: written.offset)
    }
    guard let type = written.type else { throw source.error("a result needs a type", at: written.offset) }
    guard UnknownDims.agree(type, inferred.type) else {
      throw source.error("the type is \(inferred.type), the text says \(type)", at: written.offset)
    }
    for (dim, size) in zip(inferred.type.shape, type.shape) where dim != size {
      guard let symbol = dim.symbol, let number = UnknownDims.number(symbol), number >= firstFreshSymbol
      else {
        continue
      }
      known[symbol] = size
    }
    return (name, ValueFact(type, content: inferred.content?.map { $0.substituting(known) }))
  }

  // MARK: Ends

  private mutating func addOutputs() throws(ParseError) {
    guard function.returned.count == function.outputs.count else {
      throw source.error(
        "the function has \(function.outputs.count) outputs and returns \(function.returned.count)",
        at: function.offset)
    }
    for (output, returned) in zip(function.outputs, function.returned) {
      guard let id = try value(returned.operand) else {
        throw source.error("an output cannot be '_'", at: returned.operand.offset)
      }
      let name = returned.name ?? graph.constantName(of: id) ?? graph[id].name
      guard name == output.name else {
        throw source.error(
          "the output is '\(output.name)' in the signature, found '\(name)'", at: returned.operand.offset)
      }
      guard graph[id].type == output.type else {
        throw source.error(
          "output '\(name)' is \(graph[id].type), the signature says \(output.type)", at: output.offset)
      }
      if graph.outputs.contains(where: { $0.name == name }) {
        throw source.error("output '\(name)' is given twice", at: output.offset)
      }
      graph.outputs.append((name, id))
    }
  }

  /// Replaces unknown sizes in content facts by those that later types told.
  private mutating func recallKnownSizes() {
    if known.isEmpty { return }
    for index in graph.values.indices {
      guard let content = graph.values[index].content else { continue }
      graph[ValueID(index)].content = content.map { $0.substituting(known) }
    }
  }
}
