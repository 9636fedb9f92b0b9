/// A named argument of a node.
public struct ONNXAttribute: Sendable {
  public indirect enum Value: Sendable {
    case float(Float)
    case int(Int)
    case string(String)
    case tensor(ONNXTensor)
    case graph(ONNXGraph)
    case type(ONNXType)
    case floats([Float])
    case ints([Int])
    case strings([String])
    case tensors([ONNXTensor])
    case graphs([ONNXGraph])
    case types([ONNXType])
    /// Not read: `sparse_tensor` or `sparse_tensors`.
    case sparse
    /// The value of the enclosing function's attribute of this name.
    case reference(String)

    /// The word for the kind in messages.
    public var kind: String {
      switch self {
      case .float: "float"
      case .int: "int"
      case .string: "string"
      case .tensor: "tensor"
      case .graph: "graph"
      case .type: "type"
      case .floats: "floats"
      case .ints: "ints"
      case .strings: "strings"
      case .tensors: "tensors"
      case .graphs: "graphs"
      case .types: "types"
      case .sparse: "sparse tensor"
      case .reference: "reference"
      }
    }
  }

  public var name: String
  public var value: Value

  public init(_ name: String, _ value: Value) {
    self.name = name
    self.value = value
  }
}
