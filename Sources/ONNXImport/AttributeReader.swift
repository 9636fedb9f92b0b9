import GraphIR
import ONNXFormat
import Tensors

/// Types a node's attributes by the schema of its operator.
struct AttributeReader {
  let model: ONNXModel
  let schema: OperatorSchema

  /// Attributes of very old exporters that change nothing.
  private static let ignored: Set<String> = ["consumed_inputs", "is_test"]

  /// - Throws: ``ImportError`` for an attribute that the operator does not have or of another kind, and for one that
  ///   it needs and the node lacks.
  func read(_ attributes: [ONNXAttribute]) throws(ImportError) -> Attributes {
    var result = Attributes()
    for attribute in attributes where !Self.ignored.contains(attribute.name) {
      guard let declared = schema.attributes.first(where: { $0.name == attribute.name }) else {
        let names = schema.attributes.map { "'\($0.name)'" }.joined(separator: ", ")
        throw .unsupported(
          "has the attribute '\(attribute.name)', accepted \(names.isEmpty ? "is none" : "are \(names)")")
      }
      guard result[attribute.name] == nil else {
        throw .invalid("has the attribute '\(attribute.name)' twice")
      }
      result[attribute.name] = try value(attribute, as: declared.kind)
    }
    for declared in schema.attributes where declared.isRequired && result[declared.name] == nil {
      throw .invalid("lacks the attribute '\(declared.name)'")
    }
    return result
  }

  private func value(
    _ attribute: ONNXAttribute, as kind: OperatorSchema.Attribute.Kind
  ) throws(ImportError) -> AttributeValue {
    switch (kind, attribute.value) {
    case (.int, .int(let value)): return .int(value)
    case (.float, .float(let value)): return .float(value)
    case (.string, .string(let value)): return .string(value)
    case (.ints, .ints(let values)): return .ints(values)
    case (.floats, .floats(let values)): return .floats(values)
    case (.strings, .strings(let values)): return .strings(values)
    // Python exporters cannot tell an empty list of integers from one of floats.
    case (.floats, .ints(let values)) where values.isEmpty: return .floats([])
    case (.ints, .floats(let values)) where values.isEmpty: return .ints([])
    case (.element, .int(let number)):
      let dataType = ONNXDataType(rawValue: Int32(clamping: number))
      guard let element = dataType.element else {
        throw .unsupported(
          "attribute '\(attribute.name)' is \(dataType), accepted are numbers of 2 to 64 bits and BOOL")
      }
      return .element(element)
    case (.tensor, .tensor(let tensor)): return .tensor(try decode(tensor))
    default:
      throw .invalid(
        "attribute '\(attribute.name)' is of kind \(attribute.value.kind), accepted is \(Self.word(kind))")
    }
  }

  private func decode(_ tensor: ONNXTensor) throws(ImportError) -> Tensor {
    do throws(ONNXFormatError) { return try model.decode(tensor) } catch { throw ImportError(error) }
  }

  private static func word(_ kind: OperatorSchema.Attribute.Kind) -> String {
    switch kind {
    case .int: "int"
    case .float: "float"
    case .string: "string"
    case .ints: "ints"
    case .floats: "floats"
    case .strings: "strings"
    case .element: "int (a data type)"
    case .tensor: "tensor"
    }
  }
}
