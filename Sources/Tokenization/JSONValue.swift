/// A JSON document.
///
/// Objects keep their members in order and apart: vocabularies contain keys that are canonically equivalent
/// Unicode and yet different tokens, which a dictionary of `String` would merge.
indirect enum JSONValue {
  struct Member {
    let key: String
    let value: JSONValue
  }

  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// The last member of that name; nil when this is no object, has no such member, or the member is `null`.
  subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self, let member = members.last(where: { $0.key == key }) else {
      return nil
    }
    if case .null = member.value { return nil }
    return member.value
  }

  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  var members: [Member]? { if case .object(let value) = self { value } else { nil } }
  var int: Int? { if case .number(let value) = self { Int(exactly: value) } else { nil } }
}
