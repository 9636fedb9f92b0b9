internal import CONNX
internal import CProtobufC
import Foundation
import Tensors

extension ONNXModel {
  /// The model as one protobuf message.
  ///
  /// - Throws: ``ONNXFormatError`` when it would exceed the 2 GB that protobuf readers accept.
  public func encoded() throws(ONNXFormatError) -> [UInt8] {
    let writer = MessageWriter()
    let message = writer.model(self)
    return try withExtendedLifetime((writer, self)) { () throws(ONNXFormatError) in
      let count = onnx__model_proto__get_packed_size(message)
      guard count <= Int(Int32.max) else {
        throw ONNXFormatError(
          "needs \(count) bytes in one file, accepted are 2 GB; write tensors as external data")
      }
      return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
        written = onnx__model_proto__pack(message, buffer.baseAddress)
      }
    }
  }

  /// Writes the model to a file; every tensor of at least `limit` raw bytes goes to `PATH.data` beside it.
  ///
  /// Each file is written under a temporary name and then renamed.
  /// - Parameter limit: nil keeps all tensors in the model file.
  /// - Throws: ``ONNXFormatError`` when a file cannot be written or would exceed 2 GB.
  public func write(to path: String, externalDataFrom limit: Int? = nil) throws(ONNXFormatError) {
    var model = self
    do throws(FileError) {
      if let limit { try model.moveTensors(from: limit, to: path + ".data") }
    } catch {
      throw ONNXFormatError(file: error.path, error.message)
    }
    let bytes = try model.encoded()
    do throws(FileError) {
      let file = try FileReplacement(path)
      try file.write(bytes)
      try file.commit()
    } catch {
      throw ONNXFormatError(file: error.path, error.message)
    }
  }

  /// Writes large tensors to a file of their own, each at a page boundary, and refers to them there.
  private mutating func moveTensors(from limit: Int, to path: String) throws(FileError) {
    let file = try FileReplacement(path)
    for index in graph.initializers.indices {
      guard case .raw(let bytes) = graph.initializers[index].payload, bytes.count >= limit else { continue }
      try file.pad(to: 4096)
      graph.initializers[index].payload = .external(
        ONNXExternalLocation(
          path: PathParts.name(of: path), offset: file.offset, count: bytes.count))
      try file.write(bytes.pointer)
    }
    try file.commit()
  }
}
