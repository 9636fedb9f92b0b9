public import Tensors

/// What is known about a value before anything runs.
public struct ValueFact: Sendable, Equatable {
  public var type: TensorType
  /// Elements of a small integer (or boolean: 0, 1) tensor in row-major order, when they are known symbolically.
  public var content: [Dim]?

  /// Larger tensors are not tracked.
  public static let maximumContentCount = 64

  public init(_ type: TensorType, content: [Dim]? = nil) {
    self.type = type
    self.content = content
  }

  public init(_ element: ElementType, _ shape: [Dim]) { self.init(TensorType(element, shape)) }
}

/// The declared form of an operator: it drives the parser, the printer, the verifier and the reference page.
public struct OperatorSchema: Sendable {
  public struct Operand: Sendable {
    public enum Presence: Sendable { case required, optional, variadic }
    public let name: String
    public let presence: Presence
  }

  public struct Attribute: Sendable {
    public enum Kind: Sendable { case int, float, string, ints, floats, strings, element, tensor }
    public let name: String
    public let kind: Kind
    public let isRequired: Bool
  }

  /// The mnemonic: ONNX's name in snake case.
  public let name: String
  /// One sentence with the formula.
  public let summary: String
  public let operands: [Operand]
  /// Least and largest number of results.
  public let results: ClosedRange<Int>
  public let attributes: [Attribute]

  /// - Parameters:
  ///   - operands: names in order; `name?` is optional, `name...` takes any number.
  ///   - attributes: names and kinds; `name!` must be present.
  public init(
    _ name: String, _ summary: String, operands: [String], results: ClosedRange<Int> = 1...1,
    attributes: KeyValuePairs<String, Attribute.Kind> = [:]
  ) {
    self.name = name
    self.summary = summary
    self.operands = operands.map { text in
      if text.hasSuffix("...") { return Operand(name: String(text.dropLast(3)), presence: .variadic) }
      if text.hasSuffix("?") { return Operand(name: String(text.dropLast()), presence: .optional) }
      return Operand(name: text, presence: .required)
    }
    self.results = results
    self.attributes = attributes.map { name, kind in
      let isRequired = name.hasSuffix("!")
      return Attribute(name: isRequired ? String(name.dropLast()) : name, kind: kind, isRequired: isRequired)
    }
  }
}

/// An operator breaks its own rules on these operands.
public struct OperatorError: Error, CustomStringConvertible, Sendable {
  /// Lower case: what was found and what would be accepted.
  public let message: String
  /// Whether the operands are legal and only not implemented.
  public let isUnsupported: Bool

  public init(_ message: String, isUnsupported: Bool = false) {
    self.message = message
    self.isUnsupported = isUnsupported
  }

  public var description: String { message }
}

/// What an operator sees when its result types are inferred.
public struct InferenceCall {
  /// Facts per operand; nil for an absent optional one.
  public let operands: [ValueFact?]
  public let attributes: Attributes
  /// Number of results that the node declares.
  public let resultCount: Int
  private let symbols: SymbolSource

  public init(_ operands: [ValueFact?], _ attributes: Attributes, resultCount: Int, symbols: SymbolSource) {
    self.operands = operands
    self.attributes = attributes
    self.resultCount = resultCount
    self.symbols = symbols
  }

  public func has(_ operand: Int) -> Bool { operand < operands.count && operands[operand] != nil }

  public func type(_ operand: Int) throws(OperatorError) -> TensorType {
    guard operand < operands.count, let fact = operands[operand] else {
      throw OperatorError("operand \(operand) is missing")
    }
    return fact.type
  }

  /// The known elements of an integer operand.
  public func content(_ operand: Int) -> [Dim]? {
    operand < operands.count ? operands[operand]?.content : nil
  }

  /// The elements of an integer operand, when all are plain integers: axes, steps.
  public func integers(_ operand: Int) -> [Int]? {
    guard let content = content(operand) else { return nil }
    let values = content.compactMap(\.constant)
    return values.count == content.count ? values : nil
  }

  /// A size that only running can tell: a new symbol `u0`, `u1`, ...
  public func unknownDim() -> Dim { symbols.next() }
}

/// Makes symbols that no function uses yet.
public final class SymbolSource {
  private var count: Int
  public init(startingAt count: Int = 0) { self.count = count }

  public func next() -> Dim {
    defer { count += 1 }
    return Dim("u\(count)")
  }
}

/// Arithmetic and traffic of one run of a node, symbolic in its dims.
public struct Work: Sendable {
  /// Floating-point operations; a multiply-add counts 2.
  public var flops: Dim
  /// Bytes read and written once each.
  public var bytes: Dim

  public init(flops: Dim, bytes: Dim) {
    self.flops = flops
    self.bytes = bytes
  }
}

/// An operator, defined once: its form, its types, its work, and - when it is composed of others - its decomposition.
///
/// Evaluation is the kernel of the same name; an operator without one is evaluated through ``decompose(_:into:)``.
public protocol Operator: Sendable {
  var schema: OperatorSchema { get }

  /// Types and known content of the results.
  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact]

  /// Defaults to one operation per result element, and every operand and result moved once.
  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work

  /// Rewrites a node as nodes of simpler operators that compute the same, or returns nil for a primitive operator.
  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]?
}

extension Operator {
  public func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let written = results.compactMap { $0 }
    let moved = (operands.compactMap { $0 } + written).map { $0.elementCount * $0.element.byteCount }
    return Work(flops: written.map(\.elementCount).reduce(Dim(0), +), bytes: moved.reduce(Dim(0), +))
  }

  public func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    nil
  }
}

/// Operators by mnemonic.
public struct OperatorTable: Sendable {
  private let operators: [String: any Operator]

  public init(_ operators: [any Operator]) {
    self.operators = Dictionary(operators.map { ($0.schema.name, $0) }) { first, _ in
      preconditionFailure("two operators are named '\(first.schema.name)'")
    }
  }

  public subscript(name: String) -> (any Operator)? { operators[name] }

  public var names: [String] { operators.keys.sorted() }
}
