import CONNX
import CProtobufC
import Tensors

/// Turns unpacked C messages into Swift values.
struct MessageReader {
  let storage: TensorStorage
  /// Where in `storage` the raw data of each tensor lies.
  let rawData: [Range<Int>]

  func model(_ message: Onnx__ModelProto) throws(ONNXFormatError) -> ONNXModel {
    guard let graph = message.graph else {
      throw ONNXFormatError("is no ONNX model: it holds no graph")
    }
    var model = ONNXModel(
      irVersion: Int(message.ir_version), opsets: opsets(message.opset_import, message.n_opset_import),
      graph: try self.graph(graph.pointee))
    model.producerName = text(message.producer_name)
    model.producerVersion = text(message.producer_version)
    model.domain = text(message.domain)
    model.modelVersion = Int(message.model_version)
    model.documentation = text(message.doc_string)
    model.metadata = properties(message.metadata_props, message.n_metadata_props)
    for function in list(message.functions, message.n_functions) {
      model.functions.append(try self.function(function))
    }
    return model
  }

  func graph(_ message: Onnx__GraphProto) throws(ONNXFormatError) -> ONNXGraph {
    var graph = ONNXGraph(name: text(message.name), nodes: try nodes(message.node, message.n_node))
    graph.inputs = valueInfos(message.input, message.n_input)
    graph.outputs = valueInfos(message.output, message.n_output)
    graph.valueInfos = valueInfos(message.value_info, message.n_value_info)
    for tensor in list(message.initializer, message.n_initializer) {
      graph.initializers.append(try self.tensor(tensor))
    }
    graph.sparseInitializers = list(message.sparse_initializer, message.n_sparse_initializer).map {
      text($0.values?.pointee.name)
    }
    graph.documentation = text(message.doc_string)
    graph.metadata = properties(message.metadata_props, message.n_metadata_props)
    return graph
  }

  func function(_ message: Onnx__FunctionProto) throws(ONNXFormatError) -> ONNXFunction {
    var function = ONNXFunction(
      text(message.name), domain: text(message.domain), inputs: texts(message.input, message.n_input),
      outputs: texts(message.output, message.n_output), nodes: try nodes(message.node, message.n_node),
      opsets: opsets(message.opset_import, message.n_opset_import))
    function.overload = text(message.overload)
    function.attributes = texts(message.attribute, message.n_attribute)
    function.defaults = try attributes(message.attribute_proto, message.n_attribute_proto, of: function.name)
    function.valueInfos = valueInfos(message.value_info, message.n_value_info)
    function.documentation = text(message.doc_string)
    function.metadata = properties(message.metadata_props, message.n_metadata_props)
    return function
  }

  private func nodes(
    _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Onnx__NodeProto>?>?, _ count: Int
  ) throws(ONNXFormatError) -> [ONNXNode] {
    var nodes: [ONNXNode] = []
    nodes.reserveCapacity(count)
    for message in list(messages, count) {
      var node = ONNXNode(
        text(message.op_type), domain: text(message.domain), name: text(message.name),
        inputs: texts(message.input, message.n_input), outputs: texts(message.output, message.n_output))
      node.overload = text(message.overload)
      node.metadata = properties(message.metadata_props, message.n_metadata_props)
      node.attributes = try attributes(message.attribute, message.n_attribute, of: node.location)
      nodes.append(node)
    }
    return nodes
  }

  // MARK: Attributes

  private func attributes(
    _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Onnx__AttributeProto>?>?, _ count: Int,
    of owner: String
  ) throws(ONNXFormatError) -> [ONNXAttribute] {
    var attributes: [ONNXAttribute] = []
    for message in list(messages, count) {
      do throws(ONNXFormatError) {
        attributes.append(ONNXAttribute(text(message.name), try value(message)))
      } catch {
        var located = error
        located.location = ["node '\(owner)'", error.location].filter { !$0.isEmpty }.joined(separator: ": ")
        throw located
      }
    }
    return attributes
  }

  private func value(_ message: Onnx__AttributeProto) throws(ONNXFormatError) -> ONNXAttribute.Value {
    let reference = text(message.ref_attr_name)
    if !reference.isEmpty { return .reference(reference) }
    switch kind(of: message) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT: return .float(message.f)
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT: return .int(Int(message.i))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: return .string(text(message.s))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
      if let tensor = message.t { return .tensor(try self.tensor(tensor.pointee)) }
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
      if let graph = message.g { return .graph(try self.graph(graph.pointee)) }
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO: return .type(type(message.tp))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
      return .floats(numbers(message.floats, message.n_floats))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
      return .ints(numbers(message.ints, message.n_ints).map { Int($0) })
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
      return .strings(UnsafeBufferPointer(start: message.strings, count: message.n_strings).map { text($0) })
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS:
      var tensors: [ONNXTensor] = []
      for tensor in list(message.tensors, message.n_tensors) { tensors.append(try self.tensor(tensor)) }
      return .tensors(tensors)
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
      var graphs: [ONNXGraph] = []
      for graph in list(message.graphs, message.n_graphs) { graphs.append(try self.graph(graph)) }
      return .graphs(graphs)
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR,
      ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS:
      return .sparse
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS:
      return .types(
        UnsafeBufferPointer(start: message.type_protos, count: message.n_type_protos).map { type($0) })
    default: break
    }
    throw ONNXFormatError(
      "attribute '\(text(message.name))' says that it is of type \(message.type) and holds no value of it")
  }

  /// The declared type; for files from before types were written, the field that is there.
  private func kind(of message: Onnx__AttributeProto) -> Onnx__AttributeProto__AttributeType {
    if message.has_type != 0, message.type > 0 {
      return Onnx__AttributeProto__AttributeType(rawValue: .init(message.type))
    }
    if message.has_f != 0 { return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT }
    if message.has_i != 0 { return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT }
    if message.has_s != 0 { return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING }
    if message.t != nil { return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR }
    if message.g != nil { return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH }
    if message.n_floats > 0 { return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS }
    if message.n_ints > 0 { return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS }
    if message.n_strings > 0 { return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS }
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED
  }
}
