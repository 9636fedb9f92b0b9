import GraphIR
import ONNXFormat
import Tensors

/// One node on its way into the IR: translators bring it to the newest opset's meaning.
struct Translation {
  let opset: Int
  var mnemonic: String
  var operands: [ValueID?]
  var attributes: [ONNXAttribute]
  /// Names of results, nil for those that are left out.
  var results: [String?]

  /// Removes an attribute and returns its value.
  mutating func take(_ name: String) -> ONNXAttribute.Value? {
    guard let index = attributes.firstIndex(where: { $0.name == name }) else { return nil }
    return attributes.remove(at: index).value
  }

  mutating func takeInt(_ name: String) throws(ImportError) -> Int? {
    guard let value = take(name) else { return nil }
    guard case .int(let number) = value else { throw mismatch(name, value, "int") }
    return number
  }

  mutating func takeInts(_ name: String) throws(ImportError) -> [Int]? {
    guard let value = take(name) else { return nil }
    guard case .ints(let numbers) = value else { throw mismatch(name, value, "ints") }
    return numbers
  }

  mutating func takeFloat(_ name: String) throws(ImportError) -> Float? {
    guard let value = take(name) else { return nil }
    guard case .float(let number) = value else { throw mismatch(name, value, "float") }
    return number
  }

  private func mismatch(_ name: String, _ found: ONNXAttribute.Value, _ accepted: String) -> ImportError {
    .invalid("attribute '\(name)' is of kind \(found.kind), accepted is \(accepted)")
  }

  func has(_ name: String) -> Bool { attributes.contains { $0.name == name } }

  mutating func set(_ name: String, _ value: ONNXAttribute.Value) {
    attributes.removeAll { $0.name == name }
    attributes.append(ONNXAttribute(name, value))
  }

  /// Puts an operand at a position, with absent ones before it as needed.
  mutating func setOperand(_ position: Int, _ value: ValueID?) {
    while operands.count <= position { operands.append(nil) }
    operands[position] = value
  }

  /// A required operand.
  func operand(_ position: Int) throws(ImportError) -> ValueID {
    guard position < operands.count, let value = operands[position] else {
      throw .invalid("lacks operand \(position)")
    }
    return value
  }

  /// Whether a result beyond the first is wanted.
  var usesLaterResults: Bool { results.dropFirst().contains { $0 != nil } }
}

/// Brings a node of some opsets to the newest meaning.
///
/// It changes the translation, which the importer then adds as one node, or adds nodes itself and returns the results.
typealias Translator =
  @Sendable (inout Translation, inout GraphBuilder) throws(ImportError) -> [ValueID?]?

/// Translators by operator of the default domain.
enum Translators {
  static let standard: [String: Translator] = merged([
    AxesTranslators.all, ArgumentTranslators.all, NormalizationTranslators.all,
  ])

  private static func merged(_ tables: [[String: Translator]]) -> [String: Translator] {
    tables.reduce(into: [:]) { all, table in
      all.merge(table) { _, _ in preconditionFailure("two translators for one operator") }
    }
  }
}

extension GraphBuilder {
  /// Adds a node, turning an operator's complaint into an import error.
  mutating func emit(
    _ operation: String, _ operands: [ValueID?], _ attributes: [String: AttributeValue] = [:],
    names: [String?] = []
  ) throws(ImportError) -> [ValueID?] {
    do throws(OperatorError) {
      return try add(operation, operands, Attributes(attributes), names: names)
    } catch {
      throw ImportError(error.isUnsupported ? .unsupported : .invalid, error.message)
    }
  }

  /// A scalar of an element type; nil when a Float cannot be stored as it.
  mutating func scalar(_ value: Float, _ element: ElementType) -> ValueID? {
    switch element {
    case .f32: constant(value)
    case .f64: constant(Tensor(.f64, [], values: [Double(value)]))
    case .f16: constant(Tensor(.f16, [], values: [Float16(value).bitPattern]))
    case .bf16: constant(Tensor(.bf16, [], values: [NumberCoding.bf16(value)]))
    default: nil
    }
  }
}
