/// A value's name and what is said about its type.
public struct ONNXValueInfo: Sendable {
  public var name: String
  public var type: ONNXType

  public init(_ name: String, _ type: ONNXType) {
    self.name = name
    self.type = type
  }

  /// A tensor of known rank.
  public init(_ name: String, _ element: ONNXDataType, _ shape: [ONNXDim]) {
    self.init(name, .tensor(element, shape))
  }
}

/// `TypeProto`.
public indirect enum ONNXType: Sendable, Equatable {
  /// The shape is nil when not even the rank is known.
  case tensor(ONNXDataType, [ONNXDim]?)
  case sparseTensor(ONNXDataType)
  case sequence(ONNXType)
  case optional(ONNXType)
  case map(ONNXType)
  case opaque
  /// Nothing is said.
  case none
}

/// One extent of a declared shape.
public enum ONNXDim: Sendable, Equatable {
  case value(Int)
  case parameter(String)
  case unknown
}
