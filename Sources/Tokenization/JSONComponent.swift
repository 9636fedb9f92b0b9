/// One object of `tokenizer.json`, with errors that name it.
struct JSONComponent {
  /// The component's `type`, or the key it is found under.
  let name: String
  let json: JSONValue

  init(name: String, json: JSONValue) {
    self.name = name
    self.json = json
  }

  /// A component that carries its `type`.
  /// - Parameter kind: what it is, for the error message: `normalizer`, `decoder`.
  init(kind: String, json: JSONValue) throws(TokenizationError) {
    guard let name = json["type"]?.string else { throw .missing("type", in: kind) }
    self.init(name: name, json: json)
  }

  func string(_ key: String) throws(TokenizationError) -> String {
    guard let value = json[key] else { throw .missing(key, in: name) }
    guard let string = value.string else { throw .wrongType(key, in: name, expected: "a string") }
    return string
  }

  func bool(_ key: String, default fallback: Bool) throws(TokenizationError) -> Bool {
    guard let value = json[key] else { return fallback }
    guard let bool = value.bool else { throw .wrongType(key, in: name, expected: "true or false") }
    return bool
  }

  func count(_ key: String) throws(TokenizationError) -> Int {
    guard let value = json[key] else { throw .missing(key, in: name) }
    guard let int = value.int, int >= 0 else { throw .wrongType(key, in: name, expected: "an integer >= 0") }
    return int
  }

  func array(_ key: String) throws(TokenizationError) -> [JSONValue] {
    guard let value = json[key] else { throw .missing(key, in: name) }
    guard let array = value.array else { throw .wrongType(key, in: name, expected: "an array") }
    return array
  }

  func scalar(_ key: String) throws(TokenizationError) -> Unicode.Scalar {
    let scalars = try string(key).unicodeScalars
    guard let scalar = scalars.first, scalars.count == 1 else {
      throw .wrongType(key, in: name, expected: "one character")
    }
    return scalar
  }

  /// `{"String": text}` or `{"Regex": text}`; no empty text.
  func pattern(_ key: String) throws(TokenizationError) -> TextPattern {
    guard let value = json[key] else { throw .missing(key, in: name) }
    if let text = value["String"]?.string ?? value.string {
      if text.isEmpty { throw .unsupportedOption(key, in: name, accepted: "a pattern that is not empty") }
      return .literal(Array(text.utf8))
    }
    if let text = value["Regex"]?.string { return .regex(try RegexPattern(text)) }
    throw .wrongType(key, in: name, expected: "{'String': text} or {'Regex': text}")
  }
}
