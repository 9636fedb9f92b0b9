public import Tensors

extension ONNXModel {
  /// The elements of one of the model's tensors: a view of the mapped file where its layout allows.
  ///
  /// Elements of less than a byte are unpacked to a byte each; misaligned data is copied.
  /// - Throws: ``ONNXFormatError`` naming the tensor: an element type without a counterpart, a size that does not
  ///   match the shape, external data that is missing or lies outside of the model's folder.
  public func decode(_ tensor: ONNXTensor) throws(ONNXFormatError) -> Tensor {
    do throws(ONNXFormatError) {
      return try TensorDecoder(tensor).decode(externalData)
    } catch {
      var located = error
      located.file = file
      located.location = tensor.name.isEmpty ? "tensor" : "tensor '\(tensor.name)'"
      throw located
    }
  }
}
