import Tensors

/// A function as written, before its names are resolved. Offsets are bytes of the source.
struct FunctionSyntax {
  var name: String
  var offset: Int
  var inputs: [(name: String, type: TensorType, offset: Int)] = []
  var outputs: [(name: String, type: TensorType, offset: Int)] = []
  var bounds: [String: Int] = [:]
  var nodes: [NodeSyntax] = []
  /// The operands of `return`; the name is nil when it is that of the value.
  var returned: [(name: String?, operand: OperandSyntax)] = []
}

struct NodeSyntax {
  var offset: Int
  /// nil for a result that is left out.
  var results: [(name: String?, offset: Int)] = []
  var operation = ""
  var operands: [OperandSyntax] = []
  var attributes = Attributes()
  /// One per result; nil for one that is left out.
  var types: [(type: TensorType?, offset: Int)] = []
  var location = ""
}

struct OperandSyntax {
  enum Kind {
    case value(String)
    case constant(String)
    case absent
  }

  var kind: Kind
  var offset: Int
}
