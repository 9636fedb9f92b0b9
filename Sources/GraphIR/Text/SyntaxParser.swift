import Tensors

/// Reads the text form into functions as written, constants and metadata, without resolving names.
///
///     module   := [ "module" "{" { word "=" string } "}" ] { const } { func }
///     const    := "const" "@"name ":" type "=" elements
///     elements := scalar | "[" [ scalar { "," scalar } ] "]" | "blob" "(" int ")"
///     func     := "func" "@"name "(" [ input { "," input } ] ")" "->" "(" [ output { "," output } ] ")"
///                 [ "bounds" "{" [ word "=" int { "," word "=" int } ] "}" ] "{" { node } "return" [ returned { "," returned } ] "}"
///     input    := "%"name ":" type            output := word ":" type
///     returned := [ word "=" ] operand
///     node     := [ result { "," result } "=" ] word "(" [ operand { "," operand } ] ")"
///                 [ "{" word "=" attr { "," word "=" attr } "}" ]
///                 [ ":" ( type | "_" ) { "," ( type | "_" ) } ] [ "loc" "(" string ")" ]
///     result   := "%"name | "_"               operand := "%"name | "@"name | "_"
///     type     := element "[" [ dim { "," dim } ] "]"
///     attr     := int | float | string | "[" items "]" | "floats" "[" "]" | "strings" "[" "]"
///               | element | type elements
///
/// A `word` that is not plain is written as a string.
struct SyntaxParser {
  let source: SourceText
  /// What `blob(i)` stands for.
  let blobs: [Tensor]
  private var lexer: Lexer
  private(set) var token = Token.end
  private(set) var offset = 0

  init(_ source: SourceText, blobs: [Tensor]) throws(ParseError) {
    self.source = source
    self.blobs = blobs
    lexer = Lexer(source)
    try advance()
  }

  // MARK: Tokens

  mutating func advance() throws(ParseError) { (token, offset) = try lexer.next() }

  func expected(_ what: String) -> ParseError {
    source.error("expected \(what), found \(token.found)", at: offset)
  }

  mutating func take(_ character: Character) throws(ParseError) -> Bool {
    guard token == .punctuation(character) else { return false }
    try advance()
    return true
  }

  mutating func take(keyword: String) throws(ParseError) -> Bool {
    guard token == .identifier(keyword) else { return false }
    try advance()
    return true
  }

  mutating func expect(_ character: Character) throws(ParseError) {
    guard try take(character) else { throw expected("'\(character)'") }
  }

  mutating func string() throws(ParseError) -> String {
    guard case .string(let text) = token else { throw expected("a string") }
    try advance()
    return text
  }

  /// A plain word, or a string that stands for one.
  mutating func word(_ what: String) throws(ParseError) -> String {
    switch token {
    case .identifier(let text), .string(let text):
      try advance()
      return text
    default: throw expected(what)
    }
  }

  /// `item { "," item }` up to `end`, which is consumed; nothing before `end` is an empty list.
  mutating func list(until end: Character, _ item: (inout Self) throws(ParseError) -> Void) throws(ParseError)
  {
    if try take(end) { return }
    repeat { try item(&self) } while try take(",")
    guard try take(end) else { throw expected("',' or '\(end)'") }
  }

  // MARK: Module

  mutating func metadata() throws(ParseError) -> [String: String] {
    var metadata: [String: String] = [:]
    guard try take(keyword: "module") else { return metadata }
    try expect("{")
    while try !take("}") {
      let start = offset
      let key = try word("a metadata key or '}'")
      try expect("=")
      guard metadata.updateValue(try string(), forKey: key) == nil else {
        throw source.error("metadata '\(key)' is given twice", at: start)
      }
    }
    return metadata
  }

  mutating func constants() throws(ParseError) -> [String: Tensor] {
    var constants: [String: Tensor] = [:]
    while try take(keyword: "const") {
      let start = offset
      guard case .global(let name) = token else { throw expected("the constant's name '@...'") }
      try advance()
      try expect(":")
      let type = try self.type()
      try expect("=")
      guard constants.updateValue(try elements(type), forKey: name) == nil else {
        throw source.error("constant '@\(Spelling.name(name))' is defined twice", at: start)
      }
    }
    return constants
  }

  mutating func functions() throws(ParseError) -> [FunctionSyntax] {
    var functions: [FunctionSyntax] = []
    while token != .end {
      guard try take(keyword: "func") else {
        throw expected(functions.isEmpty ? "'const' or 'func'" : "'func' or the end of the text")
      }
      let function = try self.function()
      if functions.contains(where: { $0.name == function.name }) {
        throw source.error(
          "function '@\(Spelling.name(function.name))' is defined twice", at: function.offset)
      }
      functions.append(function)
    }
    return functions
  }

  private mutating func function() throws(ParseError) -> FunctionSyntax {
    guard case .global(let name) = token else { throw expected("the function's name '@...'") }
    var function = FunctionSyntax(name: name, offset: offset)
    try advance()
    try expect("(")
    try list(until: ")") { parser throws(ParseError) in
      let start = parser.offset
      guard case .value(let name) = parser.token else { throw parser.expected("an input '%...'") }
      try parser.advance()
      try parser.expect(":")
      function.inputs.append((name, try parser.type().type, start))
    }
    guard token == .arrow else { throw expected("'->'") }
    try advance()
    try expect("(")
    try list(until: ")") { parser throws(ParseError) in
      let start = parser.offset
      let name = try parser.word("an output's name")
      try parser.expect(":")
      function.outputs.append((name, try parser.type().type, start))
    }
    if try take(keyword: "bounds") {
      try expect("{")
      try list(until: "}") { parser throws(ParseError) in
        let start = parser.offset
        let symbol = try parser.word("a size")
        try parser.expect("=")
        guard case .number(let text) = parser.token, let value = Int(text), value >= 0 else {
          throw parser.expected("its largest value")
        }
        try parser.advance()
        guard function.bounds.updateValue(value, forKey: symbol) == nil else {
          throw parser.source.error("the bound of '\(symbol)' is given twice", at: start)
        }
      }
    }
    try expect("{")
    while try !take(keyword: "return") { function.nodes.append(try node()) }
    try list(until: "}") { parser throws(ParseError) in
      var name: String?
      switch parser.token {
      case .identifier, .string:
        name = try parser.word("an output's name")
        try parser.expect("=")
      default: break
      }
      function.returned.append((name, try parser.operand()))
    }
    return function
  }

  // MARK: Nodes

  private mutating func node() throws(ParseError) -> NodeSyntax {
    var node = NodeSyntax(offset: offset)
    switch token {
    case .value, .identifier("_"):
      repeat { node.results.append(try result()) } while try take(",")
      try expect("=")
    case .identifier, .string: break
    default: throw expected("a node or 'return'")
    }
    node.operation = try word("an operator")
    try expect("(")
    try list(until: ")") { parser throws(ParseError) in node.operands.append(try parser.operand()) }
    if try take("{") { node.attributes = try attributes() }
    if try take(":") {
      repeat {
        let start = offset
        node.types.append((try take(keyword: "_") ? nil : try type().type, start))
      } while try take(",")
    }
    if try take(keyword: "loc") {
      try expect("(")
      node.location = try string()
      try expect(")")
    }
    return node
  }

  private mutating func result() throws(ParseError) -> (name: String?, offset: Int) {
    let start = offset
    if try take(keyword: "_") { return (nil, start) }
    guard case .value(let name) = token else { throw expected("a result '%...' or '_'") }
    try advance()
    return (name, start)
  }

  private mutating func operand() throws(ParseError) -> OperandSyntax {
    let start = offset
    switch token {
    case .value(let name):
      try advance()
      return OperandSyntax(kind: .value(name), offset: start)
    case .global(let name):
      try advance()
      return OperandSyntax(kind: .constant(name), offset: start)
    case .identifier("_"):
      try advance()
      return OperandSyntax(kind: .absent, offset: start)
    default: throw expected("an operand: '%...', '@...' or '_'")
    }
  }

  // MARK: Types

  mutating func type() throws(ParseError) -> (type: TensorType, offset: Int) {
    guard case .identifier(let name) = token else { throw expected("a type such as f32[S, 640]") }
    guard let element = ElementType(rawValue: name) else {
      let accepted = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw source.error("there is no element type '\(name)'; accepted are \(accepted)", at: offset)
    }
    let start = offset
    try advance()
    return (TensorType(element, try dims()), start)
  }

  private mutating func dims() throws(ParseError) -> [Dim] {
    guard token == .punctuation("[") else { throw expected("'[' and the dims of the type") }
    var dims: [Dim] = []
    while true {
      let (text, start) = try lexer.dimText()
      let trimmed = text.drop { $0 == " " || $0 == "\t" }
      let isEmpty = trimmed.isEmpty && dims.isEmpty
      if !isEmpty {
        guard let dim = Dim(parsing: String(trimmed)) else {
          throw source.error("expected a dim such as 640, S or P + S, found '\(trimmed)'", at: start)
        }
        dims.append(dim)
      }
      try advance()
      if token == .punctuation(","), !isEmpty { continue }
      try expect("]")
      return dims
    }
  }
}
