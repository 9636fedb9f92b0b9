import GraphIR
import Tensors

extension Work {
  /// Work that moves each of these tensors once.
  init(flops: Dim, moving types: [TensorType?]) {
    let bytes = types.compactMap { $0 }.map { $0.elementCount * $0.element.byteCount }
    self.init(flops: flops, bytes: bytes.reduce(Dim(0), +))
  }
}
