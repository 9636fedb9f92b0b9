import ONNXFormat

/// Replaces calls of model-local functions by their bodies, recursively.
///
/// 1. A call's operands and results take the place of the body's formal names; every other name of the body gets the
///    call's location as prefix.
/// 2. Attribute references become the call's attribute, the function's default, or nothing.
/// 3. Bodies of control flow inside a function are renamed with it.
struct FunctionInliner {
  static let maximumDepth = 32
  static let maximumNodeCount = 2_000_000

  private struct Key: Hashable {
    var domain: String
    var name: String
    var overload: String
  }

  private var functions: [Key: ONNXFunction] = [:]
  private var prefixes: Set<String> = []
  private var result: [FlatNode] = []

  private init(_ model: ONNXModel) throws(ImportError) {
    for function in model.functions {
      let key = Key(
        domain: OpsetTable.normalized(function.domain), name: function.name, overload: function.overload)
      guard functions.updateValue(function, forKey: key) == nil else {
        throw .invalid("is defined twice", at: "function '\(function.domain)::\(function.name)'")
      }
    }
  }

  /// The nodes of a graph or body without calls of the model's functions.
  static func flatten(_ nodes: [ONNXNode], of model: ONNXModel, _ opsets: OpsetTable) throws(ImportError)
    -> [FlatNode]
  {
    var inliner = try FunctionInliner(model)
    try inliner.append(nodes, opsets, depth: 0)
    return inliner.result
  }

  private mutating func append(_ nodes: [ONNXNode], _ opsets: OpsetTable, depth: Int) throws(ImportError) {
    for node in nodes {
      let domain = OpsetTable.normalized(node.domain)
      if let function = functions[Key(domain: domain, name: node.operation, overload: node.overload)] {
        guard depth < Self.maximumDepth else {
          throw .invalid(
            "calls functions deeper than \(Self.maximumDepth) levels (recursion?)", at: node.place)
        }
        do throws(ImportError) {
          let body = try inlinedBody(of: function, at: node)
          try append(body, try OpsetTable(function.opsets, inheriting: opsets), depth: depth + 1)
        } catch {
          throw error.located(node.place)
        }
        continue
      }
      // An unknown domain is reported with all other unsupported operators; it has no version then.
      result.append(FlatNode(node: node, domain: domain, opset: opsets[domain] ?? 0, opsets: opsets))
      guard result.count <= Self.maximumNodeCount else {
        throw .unsupported("has more than \(Self.maximumNodeCount) nodes after inlining functions")
      }
    }
  }

  private mutating func inlinedBody(of function: ONNXFunction, at call: ONNXNode) throws(ImportError)
    -> [ONNXNode]
  {
    guard call.inputs.count <= function.inputs.count, call.outputs.count <= function.outputs.count else {
      throw .invalid(
        "has \(call.inputs.count) operands and \(call.outputs.count) results, accepted are at most "
          + "\(function.inputs.count) and \(function.outputs.count)")
    }
    var renaming = Renaming(prefix: uniquePrefix(call.location))
    for (index, name) in function.inputs.enumerated() {
      renaming.names[name] = index < call.inputs.count ? call.inputs[index] : ""
    }
    for (index, name) in function.outputs.enumerated() where index < call.outputs.count {
      // A result that passes an operand through keeps the operand's name; it is renamed by the identity below.
      if !call.outputs[index].isEmpty, renaming.names[name] == nil {
        renaming.names[name] = call.outputs[index]
      }
    }
    for name in function.attributes where call.attribute(name) == nil {
      throw .invalid("lacks the attribute '\(name)' of the function")
    }
    for attribute in function.defaults { renaming.attributes[attribute.name] = attribute.value }
    for attribute in call.attributes { renaming.attributes[attribute.name] = attribute.value }
    var body = function.nodes.map { renaming.apply($0) }
    for (index, name) in function.outputs.enumerated() where index < call.outputs.count {
      let inner = renaming.name(name)
      guard !call.outputs[index].isEmpty, inner != call.outputs[index] else { continue }
      body.append(ONNXNode("Identity", name: call.location, inputs: [inner], outputs: [call.outputs[index]]))
    }
    return body
  }

  private mutating func uniquePrefix(_ location: String) -> String {
    var prefix = location + "/"
    var suffix = 1
    while !prefixes.insert(prefix).inserted {
      prefix = "\(location).\(suffix)/"
      suffix += 1
    }
    return prefix
  }
}

/// New names and attribute values for a function's body.
private struct Renaming {
  let prefix: String
  var names: [String: String] = [:]
  var attributes: [String: ONNXAttribute.Value] = [:]

  func name(_ name: String) -> String { name.isEmpty ? "" : names[name] ?? prefix + name }

  func apply(_ node: ONNXNode) -> ONNXNode {
    var node = node
    node.name = prefix + (node.name.isEmpty ? node.location : node.name)
    node.inputs = node.inputs.map(name)
    node.outputs = node.outputs.map(name)
    node.attributes = node.attributes.compactMap { attribute in
      value(attribute.value).map { ONNXAttribute(attribute.name, $0) }
    }
    return node
  }

  private func value(_ value: ONNXAttribute.Value) -> ONNXAttribute.Value? {
    switch value {
    case .reference(let name): attributes[name]
    case .graph(let graph): .graph(apply(graph))
    case .graphs(let graphs): .graphs(graphs.map(apply))
    default: value
    }
  }

  private func apply(_ graph: ONNXGraph) -> ONNXGraph {
    var graph = graph
    graph.nodes = graph.nodes.map(apply)
    graph.inputs = graph.inputs.map { ONNXValueInfo(name($0.name), $0.type) }
    graph.outputs = graph.outputs.map { ONNXValueInfo(name($0.name), $0.type) }
    graph.valueInfos = graph.valueInfos.map { ONNXValueInfo(name($0.name), $0.type) }
    graph.initializers = graph.initializers.map { tensor in
      var tensor = tensor
      tensor.name = name(tensor.name)
      return tensor
    }
    return graph
  }
}
