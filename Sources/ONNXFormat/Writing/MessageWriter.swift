import CONNX
import CProtobufC
import ProtobufArena
import Tensors

/// Turns Swift values into C messages; raw tensor bytes are referred to, not copied.
struct MessageWriter {
  let arena = MessageArena()

  func model(_ model: ONNXModel) -> UnsafeMutablePointer<Onnx__ModelProto> {
    let message = arena.make(onnx__model_proto__init)
    message.pointee.has_ir_version = 1
    message.pointee.ir_version = Int64(model.irVersion)
    message.pointee.producer_name = arena.text(model.producerName)
    message.pointee.producer_version = arena.text(model.producerVersion)
    message.pointee.domain = arena.text(model.domain)
    message.pointee.has_model_version = model.modelVersion == 0 ? 0 : 1
    message.pointee.model_version = Int64(model.modelVersion)
    message.pointee.doc_string = arena.text(model.documentation)
    message.pointee.graph = graph(model.graph)
    arena.fill(&message.pointee.opset_import, &message.pointee.n_opset_import, model.opsets, opset)
    arena.fill(&message.pointee.metadata_props, &message.pointee.n_metadata_props, model.metadata, property)
    arena.fill(&message.pointee.functions, &message.pointee.n_functions, model.functions, function)
    return message
  }

  func graph(_ graph: ONNXGraph) -> UnsafeMutablePointer<Onnx__GraphProto> {
    let message = arena.make(onnx__graph_proto__init)
    message.pointee.name = arena.text(graph.name)
    message.pointee.doc_string = arena.text(graph.documentation)
    arena.fill(&message.pointee.node, &message.pointee.n_node, graph.nodes, node)
    arena.fill(&message.pointee.initializer, &message.pointee.n_initializer, graph.initializers, tensor)
    arena.fill(&message.pointee.input, &message.pointee.n_input, graph.inputs, valueInfo)
    arena.fill(&message.pointee.output, &message.pointee.n_output, graph.outputs, valueInfo)
    arena.fill(&message.pointee.value_info, &message.pointee.n_value_info, graph.valueInfos, valueInfo)
    arena.fill(&message.pointee.metadata_props, &message.pointee.n_metadata_props, graph.metadata, property)
    return message
  }

  private func function(_ function: ONNXFunction) -> UnsafeMutablePointer<Onnx__FunctionProto> {
    let message = arena.make(onnx__function_proto__init)
    message.pointee.name = arena.text(function.name)
    message.pointee.domain = arena.text(function.domain)
    message.pointee.overload = arena.text(function.overload)
    message.pointee.doc_string = arena.text(function.documentation)
    message.pointee.input = arena.texts(function.inputs)
    message.pointee.n_input = function.inputs.count
    message.pointee.output = arena.texts(function.outputs)
    message.pointee.n_output = function.outputs.count
    message.pointee.attribute = arena.texts(function.attributes)
    message.pointee.n_attribute = function.attributes.count
    arena.fill(
      &message.pointee.attribute_proto, &message.pointee.n_attribute_proto, function.defaults, attribute)
    arena.fill(&message.pointee.node, &message.pointee.n_node, function.nodes, node)
    arena.fill(&message.pointee.opset_import, &message.pointee.n_opset_import, function.opsets, opset)
    arena.fill(&message.pointee.value_info, &message.pointee.n_value_info, function.valueInfos, valueInfo)
    arena.fill(
      &message.pointee.metadata_props, &message.pointee.n_metadata_props, function.metadata, property)
    return message
  }

  private func node(_ node: ONNXNode) -> UnsafeMutablePointer<Onnx__NodeProto> {
    let message = arena.make(onnx__node_proto__init)
    message.pointee.name = arena.text(node.name)
    message.pointee.op_type = arena.text(node.operation)
    message.pointee.domain = arena.text(node.domain)
    message.pointee.overload = arena.text(node.overload)
    message.pointee.input = arena.texts(node.inputs)
    message.pointee.n_input = node.inputs.count
    message.pointee.output = arena.texts(node.outputs)
    message.pointee.n_output = node.outputs.count
    arena.fill(&message.pointee.attribute, &message.pointee.n_attribute, node.attributes, attribute)
    arena.fill(&message.pointee.metadata_props, &message.pointee.n_metadata_props, node.metadata, property)
    return message
  }

  // MARK: Small parts

  private func opset(_ opset: ONNXOpset) -> UnsafeMutablePointer<Onnx__OperatorSetIdProto> {
    let message = arena.make(onnx__operator_set_id_proto__init)
    // The default domain is written as an empty string, which must be there.
    message.pointee.domain = arena.list(opset.domain.utf8CString.map { $0 })
    message.pointee.has_version = 1
    message.pointee.version = Int64(opset.version)
    return message
  }

  func property(_ property: ONNXProperty) -> UnsafeMutablePointer<Onnx__StringStringEntryProto> {
    let message = arena.make(onnx__string_string_entry_proto__init)
    message.pointee.key = arena.text(property.key)
    message.pointee.value = arena.text(property.value)
    return message
  }
}
