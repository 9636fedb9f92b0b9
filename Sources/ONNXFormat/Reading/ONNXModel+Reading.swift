internal import CONNX
internal import CProtobufC
public import Tensors

extension ONNXModel {
  /// Reads a model file. Its weights stay in the mapped file.
  ///
  /// - Throws: ``ONNXFormatError`` when the file is missing, empty, no ONNX model, or damaged.
  public init(contentsOf path: String) throws(ONNXFormatError) {
    let file: MappedFile
    do throws(FileError) {
      file = try MappedFile(path)
    } catch {
      throw ONNXFormatError(file: path, error.message)
    }
    do throws(ONNXFormatError) {
      try self.init(
        bytes: file.storage(offset: 0, byteCount: file.bytes.count) ?? TensorStorage(byteCount: 0))
    } catch {
      var located = error
      located.file = path
      throw located
    }
    self.file = path
    externalData = ExternalData(modelPath: path)
  }

  /// Reads a model from memory; tensors are views of `storage`.
  ///
  /// - Throws: ``ONNXFormatError`` when the bytes are no ONNX model, or damaged.
  public init(bytes storage: TensorStorage) throws(ONNXFormatError) {
    let bytes = UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount)
    guard !bytes.isEmpty else { throw ONNXFormatError("is empty, accepted is an ONNX model (protobuf)") }
    for (magic, format) in Self.otherFormats where bytes.starts(with: magic.utf8) {
      throw ONNXFormatError("is a \(format) file, accepted is an ONNX model (protobuf)")
    }
    let compact = try CompactModel(bytes)
    guard compact.bytes.count <= Int(Int32.max) else {
      throw ONNXFormatError(
        "has \(compact.bytes.count) bytes besides its raw weights, accepted are at most 2 GB of them")
    }
    let message = compact.bytes.withUnsafeBufferPointer {
      onnx__model_proto__unpack(nil, $0.count, $0.baseAddress)
    }
    guard let message else {
      throw ONNXFormatError("is no ONNX model or is damaged: a message cannot be unpacked")
    }
    defer { onnx__model_proto__free_unpacked(message, nil) }
    let reader = MessageReader(storage: storage, rawData: compact.rawData)
    self = try reader.model(message.pointee)
  }

  private static let otherFormats = [
    ("GGUF", "GGUF"), ("PK\u{3}\u{4}", "zip (PyTorch checkpoint?)"),
    ("version https://git-lfs", "Git LFS pointer"),
    ("\u{7F}ELF", "program"), ("{", "JSON text"),
  ]
}
