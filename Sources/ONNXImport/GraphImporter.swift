import GraphIR
import ONNXFormat
import Tensors

/// Adds ONNX nodes to a function: looks names up, infers types, and refines them by what the exporter declared.
struct GraphImporter {
  let model: ONNXModel
  var builder: GraphBuilder
  private let dims: DimReader
  var scope: [String: ValueID] = [:]
  private var initializers: [String: ONNXTensor] = [:]
  var declared: [String: ONNXType] = [:]
  /// Symbols of the function's inputs: the only ones that a declared type is believed about.
  var inputSymbols: Set<String> = []
  /// Symbols of inputs that turned out to be one number.
  var extents: [String: Dim] = [:]

  init(_ model: ONNXModel, operators: OperatorTable) {
    self.model = model
    dims = DimReader(avoiding: model)
    builder = GraphBuilder(Graph(), constants: [:], operators: operators, symbols: dims.symbols)
  }

  /// Imports the model's main graph.
  mutating func run() throws(ImportError) {
    let graph = model.graph
    if let sparse = graph.sparseInitializers.first {
      throw .unsupported("is sparse, accepted are dense tensors", at: "initializer '\(sparse)'")
    }
    try declare(graph)
    try addInputs(graph)
    let opsets = try OpsetTable(model.opsets)
    let nodes = try FunctionInliner.flatten(graph.nodes, of: model, opsets)
    try Support(operators: builder.operators).check(nodes)
    try add(nodes)
    var names: Set<String> = []
    for output in graph.outputs {
      guard names.insert(output.name).inserted else {
        throw .invalid("is listed twice", at: "output '\(output.name)'")
      }
      builder.graph.outputs.append((output.name, try value(output.name, of: "output '\(output.name)'")))
    }
    substituteExtents()
  }

  // MARK: Names

  private mutating func declare(_ graph: ONNXGraph) throws(ImportError) {
    for tensor in graph.initializers {
      guard initializers.updateValue(tensor, forKey: tensor.name) == nil else {
        throw .invalid("is defined twice; names must be unique", at: "initializer '\(tensor.name)'")
      }
    }
    for info in graph.valueInfos + graph.outputs where info.type != .none { declared[info.name] = info.type }
  }

  /// Inputs that an initializer gives a default are constants.
  private mutating func addInputs(_ graph: ONNXGraph) throws(ImportError) {
    for info in graph.inputs where initializers[info.name] == nil {
      guard scope[info.name] == nil else {
        throw .invalid("is defined twice; names must be unique", at: "input '\(info.name)'")
      }
      let type = try dims.inputType(info)
      for dim in type.shape { inputSymbols.formUnion(dim.symbols) }
      scope[info.name] = builder.graph.addInput(info.name, type)
    }
  }

  /// The value of a name; an initializer becomes a constant when it is first read.
  private mutating func value(_ name: String, of reader: String) throws(ImportError) -> ValueID {
    if let value = scope[name] { return value }
    guard let tensor = initializers[name] else {
      throw .invalid("reads '\(name)', which no node, input or initializer defines", at: reader)
    }
    let value = builder.constant(try decode(tensor), name: name)
    scope[name] = value
    return value
  }

  private func decode(_ tensor: ONNXTensor) throws(ImportError) -> Tensor {
    do throws(ONNXFormatError) { return try model.decode(tensor) } catch { throw ImportError(error) }
  }

  // MARK: Nodes

  private mutating func add(_ nodes: [FlatNode]) throws(ImportError) {
    let order = try NodeOrder(nodes)
    for name in order.definedNames where scope[name] != nil || initializers[name] != nil {
      throw .invalid("is defined twice; names must be unique", at: "value '\(name)'")
    }
    for node in try order.sorted() {
      do throws(ImportError) { try add(node) } catch { throw error.located(node.node.place) }
    }
  }

  private mutating func add(_ flat: FlatNode) throws(ImportError) {
    let node = flat.node
    builder.location = node.location
    if flat.domain.isEmpty {
      switch node.operation {
      case "Constant": return try addConstant(node)
      case "If": return try addBranch(flat)
      default: break
      }
    }
    var operands: [ValueID?] = []
    for name in node.inputs { operands.append(name.isEmpty ? nil : try value(name, of: node.place)) }
    while case nil? = operands.last { operands.removeLast() }
    guard let name = Mnemonic.mnemonic(of: node.operation, domain: flat.domain, in: builder.operators) else {
      throw .unsupported("there is no operator for it")
    }
    var translation = Translation(
      opset: flat.opset, mnemonic: name, operands: operands, attributes: node.attributes,
      results: node.outputs.map { $0.isEmpty ? nil : $0 })
    var values: [ValueID?]?
    if flat.domain.isEmpty, let translate = Translators.standard[node.operation] {
      values = try translate(&translation, &builder)
    }
    let results: [ValueID?]
    if let values { results = values } else { results = try add(translation) }
    for (name, value) in zip(node.outputs, results) {
      guard !name.isEmpty, let value else { continue }
      guard builder.type(value).rank <= Extents.maximumRank else {
        throw .unsupported("gives \(builder.type(value)), accepted are at most \(Extents.maximumRank) axes")
      }
      scope[name] = value
    }
    refine(node.outputs)
    learnCacheExtents(translation.mnemonic, operands: operands, results: results)
  }

  /// Adds the one node that a translation has become.
  private mutating func add(_ node: Translation) throws(ImportError) -> [ValueID?] {
    guard let definition = builder.operators[node.mnemonic] else {
      throw .unsupported("there is no operator '\(node.mnemonic)'")
    }
    let schema = definition.schema
    let attributes = try AttributeReader(model: model, schema: schema).read(node.attributes)
    try check(node, schema)
    do throws(OperatorError) {
      return try builder.add(node.mnemonic, node.operands, attributes, names: node.results)
    } catch {
      let operands = node.operands.map { $0.map { "\(builder.type($0))" } ?? "absent" }
      throw ImportError(
        error.isUnsupported ? .unsupported : .invalid,
        "\(error.message); operands are \(operands.joined(separator: ", "))")
    }
  }

  private func check(_ node: Translation, _ schema: OperatorSchema) throws(ImportError) {
    for (index, operand) in schema.operands.enumerated() where operand.presence == .required {
      guard index < node.operands.count, node.operands[index] != nil else {
        throw .invalid("lacks operand \(index) ('\(operand.name)')")
      }
    }
    let isVariadic = schema.operands.last?.presence == .variadic
    guard isVariadic || node.operands.count <= schema.operands.count else {
      throw .invalid("has \(node.operands.count) operands, accepted are at most \(schema.operands.count)")
    }
    guard schema.results.contains(node.results.count) else {
      throw .invalid(
        "has \(node.results.count) results, accepted are \(schema.results.lowerBound) to \(schema.results.upperBound)"
      )
    }
  }

  // MARK: Constants and control flow

  private mutating func addConstant(_ node: ONNXNode) throws(ImportError) {
    guard node.attributes.count == 1, node.outputs.count == 1 else {
      throw .invalid(
        "has \(node.attributes.count) attributes and \(node.outputs.count) results, accepted is one of each")
    }
    let attribute = node.attributes[0]
    let tensor: Tensor
    switch (attribute.name, attribute.value) {
    case ("value", .tensor(let value)): tensor = try decode(value)
    case ("value_int", .int(let value)): tensor = Tensor(i64: [value], [])
    case ("value_ints", .ints(let values)): tensor = Tensor(i64: values)
    case ("value_float", .float(let value)): tensor = Tensor(f32: [value], [])
    case ("value_floats", .floats(let values)): tensor = Tensor(f32: values)
    default:
      throw .unsupported(
        "attribute '\(attribute.name)' of kind \(attribute.value.kind), accepted are 'value', 'value_int', 'value_ints', "
          + "'value_float' and 'value_floats'")
    }
    scope[node.outputs[0]] = builder.constant(tensor, name: node.outputs[0])
  }

  /// A branch whose condition is a constant is taken here; its nodes join the function.
  private mutating func addBranch(_ flat: FlatNode) throws(ImportError) {
    let node = flat.node
    guard let name = node.inputs.first, !name.isEmpty else { throw .invalid("lacks operand 0 ('cond')") }
    let condition = try value(name, of: node.place)
    guard let content = builder.fact(condition).content, content.count == 1, let taken = content[0].constant
    else {
      throw .unsupported("its condition '\(name)' depends on the inputs, accepted is one that is constant")
    }
    let key = taken != 0 ? "then_branch" : "else_branch"
    guard case .graph(let body)? = node.attribute(key) else { throw .invalid("lacks the attribute '\(key)'") }
    guard body.outputs.count == node.outputs.count else {
      throw .invalid("has \(node.outputs.count) results, its \(key) gives \(body.outputs.count)")
    }
    try declare(body)
    let nodes = try FunctionInliner.flatten(body.nodes, of: model, flat.opsets)
    try Support(operators: builder.operators).check(nodes)
    try add(nodes)
    for (output, name) in zip(body.outputs, node.outputs) where !name.isEmpty {
      scope[name] = try value(output.name, of: node.place)
    }
  }
}
