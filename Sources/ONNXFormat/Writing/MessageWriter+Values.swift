import CONNX
import CProtobufC
import ProtobufArena
import Tensors

extension MessageWriter {
  func attribute(_ attribute: ONNXAttribute) -> UnsafeMutablePointer<Onnx__AttributeProto> {
    let message = arena.make(onnx__attribute_proto__init)
    message.pointee.name = arena.text(attribute.name)
    var kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED
    switch attribute.value {
    case .float(let value):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT
      message.pointee.has_f = 1
      message.pointee.f = value
    case .int(let value):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT
      message.pointee.has_i = 1
      message.pointee.i = Int64(value)
    case .string(let value):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING
      message.pointee.has_s = 1
      message.pointee.s = arena.bytes(Array(value.utf8))
    case .tensor(let value):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR
      message.pointee.t = tensor(value)
    case .graph(let value):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH
      message.pointee.g = graph(value)
    case .type(let value):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO
      message.pointee.tp = type(value)
    case .floats(let values):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS
      message.pointee.floats = arena.list(values)
      message.pointee.n_floats = values.count
    case .ints(let values):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS
      message.pointee.ints = arena.list(values.map { Int64($0) })
      message.pointee.n_ints = values.count
    case .strings(let values):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS
      message.pointee.strings = arena.list(values.map { arena.bytes(Array($0.utf8)) })
      message.pointee.n_strings = values.count
    case .tensors(let values):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS
      arena.fill(&message.pointee.tensors, &message.pointee.n_tensors, values, tensor)
    case .graphs(let values):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS
      arena.fill(&message.pointee.graphs, &message.pointee.n_graphs, values, graph)
    case .types(let values):
      kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS
      arena.fill(&message.pointee.type_protos, &message.pointee.n_type_protos, values, type)
    case .reference(let name): message.pointee.ref_attr_name = arena.text(name)
    case .sparse: kind = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR
    }
    if kind != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED {
      message.pointee.has_type = 1
      message.pointee.type = Int32(kind.rawValue)
    }
    return message
  }

  func tensor(_ tensor: ONNXTensor) -> UnsafeMutablePointer<Onnx__TensorProto> {
    let message = arena.make(onnx__tensor_proto__init)
    message.pointee.name = arena.text(tensor.name)
    message.pointee.dims = arena.list(tensor.dims.map { Int64($0) })
    message.pointee.n_dims = tensor.dims.count
    message.pointee.has_data_type = 1
    message.pointee.data_type = tensor.dataType.rawValue
    switch tensor.payload {
    case .raw(let bytes):
      message.pointee.has_raw_data = 1
      let start = UnsafeMutableRawPointer(mutating: bytes.pointer.baseAddress)
      message.pointee.raw_data = ProtobufCBinaryData(
        len: bytes.count, data: start?.assumingMemoryBound(to: UInt8.self))
    case .floats(let values):
      message.pointee.float_data = arena.list(values)
      message.pointee.n_float_data = values.count
    case .int32s(let values):
      message.pointee.int32_data = arena.list(values)
      message.pointee.n_int32_data = values.count
    case .int64s(let values):
      message.pointee.int64_data = arena.list(values)
      message.pointee.n_int64_data = values.count
    case .doubles(let values):
      message.pointee.double_data = arena.list(values)
      message.pointee.n_double_data = values.count
    case .uint64s(let values):
      message.pointee.uint64_data = arena.list(values)
      message.pointee.n_uint64_data = values.count
    case .external(let location):
      message.pointee.has_data_location = 1
      message.pointee.data_location = Int32(ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL.rawValue)
      var entries = [ONNXProperty("location", location.path), ONNXProperty("offset", "\(location.offset)")]
      if let count = location.count { entries.append(ONNXProperty("length", "\(count)")) }
      arena.fill(&message.pointee.external_data, &message.pointee.n_external_data, entries, property)
    case .strings, .none: break
    }
    return message
  }

  func valueInfo(_ info: ONNXValueInfo) -> UnsafeMutablePointer<Onnx__ValueInfoProto> {
    let message = arena.make(onnx__value_info_proto__init)
    message.pointee.name = arena.text(info.name)
    if info.type != .none { message.pointee.type = type(info.type) }
    return message
  }

  func type(_ type: ONNXType) -> UnsafeMutablePointer<Onnx__TypeProto> {
    let message = arena.make(onnx__type_proto__init)
    switch type {
    case .tensor(let dataType, let dims):
      let tensor = arena.make(onnx__type_proto__tensor__init)
      tensor.pointee.has_elem_type = 1
      tensor.pointee.elem_type = dataType.rawValue
      if let dims {
        let shape = arena.make(onnx__tensor_shape_proto__init)
        arena.fill(&shape.pointee.dim, &shape.pointee.n_dim, dims, dim)
        tensor.pointee.shape = shape
      }
      message.pointee.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
      message.pointee.tensor_type = tensor
    case .sparseTensor(let dataType):
      let tensor = arena.make(onnx__type_proto__sparse_tensor__init)
      tensor.pointee.has_elem_type = 1
      tensor.pointee.elem_type = dataType.rawValue
      message.pointee.value_case = ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE
      message.pointee.sparse_tensor_type = tensor
    case .sequence(let element):
      let sequence = arena.make(onnx__type_proto__sequence__init)
      sequence.pointee.elem_type = self.type(element)
      message.pointee.value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE
      message.pointee.sequence_type = sequence
    case .optional(let element):
      let optional = arena.make(onnx__type_proto__optional__init)
      optional.pointee.elem_type = self.type(element)
      message.pointee.value_case = ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE
      message.pointee.optional_type = optional
    case .map(let element):
      let map = arena.make(onnx__type_proto__map__init)
      map.pointee.value_type = self.type(element)
      message.pointee.value_case = ONNX__TYPE_PROTO__VALUE_MAP_TYPE
      message.pointee.map_type = map
    case .opaque, .none: break
    }
    return message
  }

  private func dim(_ dim: ONNXDim) -> UnsafeMutablePointer<Onnx__TensorShapeProto__Dimension> {
    let message = arena.make(onnx__tensor_shape_proto__dimension__init)
    switch dim {
    case .value(let extent):
      message.pointee.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
      message.pointee.dim_value = Int64(extent)
    case .parameter(let name):
      message.pointee.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
      message.pointee.dim_param = arena.text(name)
    case .unknown: break
    }
    return message
  }
}
