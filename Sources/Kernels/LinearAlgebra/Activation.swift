public import Tensors

/// The activation functions of feed-forward blocks.
public enum Activation: String, CaseIterable, Sendable {
  case relu, reluSquared = "relu_squared", gelu, geluTanh = "gelu_tanh", silu

  /// The attribute `activation`.
  public init<Failure: Error>(
    _ attributes: Attributes, orThrow error: (_ message: String) -> Failure
  ) throws(Failure) {
    let name = attributes.string("activation", default: "")
    guard let activation = Activation(rawValue: name) else {
      throw error("'activation' is \"\(name)\", accepted are \(Self.allCases.map(\.rawValue))")
    }
    self = activation
  }

  /// Whether it is 0 exactly for all that is below 0.
  public var isZeroBelowZero: Bool { self == .relu || self == .reluSquared }

  /// Applies the function in place.
  public func apply(_ x: UnsafeMutablePointer<Float>, _ count: Int) {
    switch self {
    case .relu: for index in 0..<count { x[index] = Float.greater(x[index], 0) }
    case .reluSquared:
      for index in 0..<count {
        let positive = Float.greater(x[index], 0)
        x[index] = positive * positive
      }
    case .gelu: VectorMath.best.gelu(count, x, x)
    case .geluTanh: VectorMath.best.geluTanh(count, x, x)
    case .silu: VectorMath.best.silu(count, x, x)
    }
  }
}
