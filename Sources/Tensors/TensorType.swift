/// Element type and shape of a tensor value; dims may be symbolic.
public struct TensorType: Hashable, Sendable {
  public var element: ElementType
  public var shape: [Dim]

  public init(_ element: ElementType, _ shape: [Dim]) {
    self.element = element
    self.shape = shape
  }

  public var rank: Int { shape.count }

  /// Number of elements, symbolic.
  public var elementCount: Dim { shape.reduce(Dim(1), *) }

  /// The shape as integers, when every dim is one.
  public var constantShape: [Int]? {
    var extents: [Int] = []
    for dim in shape {
      guard let extent = dim.constant else { return nil }
      extents.append(extent)
    }
    return extents
  }

  public func substituting(_ replacement: [String: Dim]) -> TensorType {
    TensorType(element, shape.map { $0.substituting(replacement) })
  }
}

extension TensorType: CustomStringConvertible {
  /// `f32[batch, S, 640]`.
  public var description: String { "\(element)[\(shape.map(\.description).joined(separator: ", "))]" }
}
