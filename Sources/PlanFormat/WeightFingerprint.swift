import Tensors

/// What equal tensors have in common and different ones most often do not: type, and a few elements.
struct WeightFingerprint: Hashable {
  private let type: TensorType
  private let words: [UInt64]

  /// Words that are looked at, evenly spread.
  private static let count = 64

  init(_ tensor: Tensor) {
    type = tensor.type
    let bytes = tensor.bytes
    let stride = max(1, bytes.count / 8 / Self.count)
    words = withExtendedLifetime(tensor) {
      Swift.stride(from: 0, to: bytes.count / 8, by: stride).map {
        bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)
      }
    }
  }
}
