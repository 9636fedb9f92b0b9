/// The value of an operator attribute.
public enum AttributeValue: Sendable {
  case int(Int)
  case float(Float)
  case string(String)
  case ints([Int])
  case floats([Float])
  case strings([String])
  case element(ElementType)
  case tensor(Tensor)
}

/// Attributes of a node by name. Absent names mean the operator's default.
public struct Attributes: Sendable {
  public var values: [String: AttributeValue]

  public init(_ values: [String: AttributeValue] = [:]) { self.values = values }

  public subscript(name: String) -> AttributeValue? {
    get { values[name] }
    set { values[name] = newValue }
  }

  public var isEmpty: Bool { values.isEmpty }

  public func int(_ name: String, default value: Int) -> Int { int(name) ?? value }
  public func int(_ name: String) -> Int? { if case .int(let v)? = values[name] { v } else { nil } }
  public func bool(_ name: String, default value: Bool) -> Bool { int(name).map { $0 != 0 } ?? value }
  public func float(_ name: String, default value: Float) -> Float { float(name) ?? value }
  public func float(_ name: String) -> Float? { if case .float(let v)? = values[name] { v } else { nil } }
  public func string(_ name: String, default value: String) -> String {
    if case .string(let v)? = values[name] { v } else { value }
  }
  public func ints(_ name: String) -> [Int]? { if case .ints(let v)? = values[name] { v } else { nil } }
  public func floats(_ name: String) -> [Float]? { if case .floats(let v)? = values[name] { v } else { nil } }
  public func strings(_ name: String) -> [String]? {
    if case .strings(let v)? = values[name] { v } else { nil }
  }
  public func element(_ name: String) -> ElementType? {
    if case .element(let v)? = values[name] { v } else { nil }
  }
  public func tensor(_ name: String) -> Tensor? { if case .tensor(let v)? = values[name] { v } else { nil } }
}
