import CONNX
import CProtobufC
import Tensors

extension MessageReader {
  // MARK: Tensors

  func tensor(_ message: Onnx__TensorProto) throws(ONNXFormatError) -> ONNXTensor {
    let name = text(message.name)
    var tensor = ONNXTensor(
      name, ONNXDataType(rawValue: message.data_type),
      dims: numbers(message.dims, message.n_dims).map { Int($0) },
      payload: .none)
    guard message.segment == nil else {
      throw ONNXFormatError(
        .unsupported, location: "tensor '\(name)'", "is a segment of a tensor; accepted are whole ones")
    }
    if message.data_location == Int32(ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL.rawValue) {
      tensor.payload = .external(try externalLocation(message, name))
    } else if message.has_raw_data_index != 0 {
      let range = rawData[Int(message.raw_data_index)]
      tensor.payload = .raw(ONNXBytes(storage, offset: range.lowerBound, count: range.count))
    } else if message.n_float_data > 0 {
      tensor.payload = .floats(numbers(message.float_data, message.n_float_data))
    } else if message.n_int32_data > 0 {
      tensor.payload = .int32s(numbers(message.int32_data, message.n_int32_data))
    } else if message.n_int64_data > 0 {
      tensor.payload = .int64s(numbers(message.int64_data, message.n_int64_data))
    } else if message.n_double_data > 0 {
      tensor.payload = .doubles(numbers(message.double_data, message.n_double_data))
    } else if message.n_uint64_data > 0 {
      tensor.payload = .uint64s(numbers(message.uint64_data, message.n_uint64_data))
    } else if message.n_string_data > 0 {
      tensor.payload = .strings
    }
    return tensor
  }

  private func externalLocation(
    _ message: Onnx__TensorProto, _ name: String
  ) throws(ONNXFormatError) -> ONNXExternalLocation {
    var location = ONNXExternalLocation(path: "")
    for property in properties(message.external_data, message.n_external_data) {
      switch property.key {
      case "location": location.path = property.value
      case "offset", "length":
        guard let number = Int(property.value), number >= 0 else {
          throw ONNXFormatError(
            location: "tensor '\(name)'",
            "external \(property.key) is '\(property.value)', accepted is a number of bytes")
        }
        if property.key == "offset" { location.offset = number } else { location.count = number }
      default: continue
      }
    }
    guard !location.path.isEmpty else {
      throw ONNXFormatError(location: "tensor '\(name)'", "is external and names no file ('location')")
    }
    return location
  }

  // MARK: Types

  func valueInfos(
    _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Onnx__ValueInfoProto>?>?, _ count: Int
  ) -> [ONNXValueInfo] {
    list(messages, count).map { ONNXValueInfo(text($0.name), type($0.type)) }
  }

  func type(_ message: UnsafeMutablePointer<Onnx__TypeProto>?) -> ONNXType {
    guard let message = message?.pointee else { return .none }
    switch message.value_case {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
      guard let tensor = message.tensor_type?.pointee else { return .none }
      return .tensor(ONNXDataType(rawValue: tensor.elem_type), tensor.shape.map { shape($0.pointee) })
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
      return .sparseTensor(ONNXDataType(rawValue: message.sparse_tensor_type?.pointee.elem_type ?? 0))
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
      return .sequence(type(message.sequence_type?.pointee.elem_type))
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
      return .optional(type(message.optional_type?.pointee.elem_type))
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE: return .map(type(message.map_type?.pointee.value_type))
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE: return .opaque
    default: return .none
    }
  }

  private func shape(_ message: Onnx__TensorShapeProto) -> [ONNXDim] {
    list(message.dim, message.n_dim).map { dim in
      switch dim.value_case {
      case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE: return .value(Int(dim.dim_value))
      case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM:
        let name = text(dim.dim_param)
        return name.isEmpty ? .unknown : .parameter(name)
      default: return .unknown
      }
    }
  }

  // MARK: Small parts

  func list<T>(_ messages: UnsafeMutablePointer<UnsafeMutablePointer<T>?>?, _ count: Int) -> [T] {
    UnsafeBufferPointer(start: messages, count: count).compactMap { $0?.pointee }
  }

  func numbers<T>(_ start: UnsafeMutablePointer<T>?, _ count: Int) -> [T] {
    Array(UnsafeBufferPointer(start: start, count: count))
  }

  func text(_ characters: UnsafeMutablePointer<CChar>?) -> String {
    characters.map { String(cString: $0) } ?? ""
  }

  func text(_ bytes: ProtobufCBinaryData) -> String {
    String(decoding: UnsafeBufferPointer(start: bytes.data, count: bytes.len), as: UTF8.self)
  }

  func texts(_ messages: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int) -> [String] {
    UnsafeBufferPointer(start: messages, count: count).map { text($0) }
  }

  func properties(
    _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Onnx__StringStringEntryProto>?>?, _ count: Int
  ) -> [ONNXProperty] {
    list(messages, count).map { ONNXProperty(text($0.key), text($0.value)) }
  }

  func opsets(
    _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Onnx__OperatorSetIdProto>?>?, _ count: Int
  ) -> [ONNXOpset] {
    list(messages, count).map { ONNXOpset(text($0.domain), Int($0.version)) }
  }
}
