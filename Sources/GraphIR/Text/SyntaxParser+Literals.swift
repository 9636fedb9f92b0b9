import Tensors

/// Attributes and tensor elements.
extension SyntaxParser {
  /// What follows `{`, through `}`.
  mutating func attributes() throws(ParseError) -> Attributes {
    var values: [String: AttributeValue] = [:]
    try list(until: "}") { parser throws(ParseError) in
      let start = parser.offset
      let name = try parser.word("an attribute's name")
      try parser.expect("=")
      guard values.updateValue(try parser.attribute(), forKey: name) == nil else {
        throw parser.source.error("attribute '\(name)' is given twice", at: start)
      }
    }
    return Attributes(values)
  }

  private mutating func attribute() throws(ParseError) -> AttributeValue {
    let start = offset
    switch token {
    case .string(let text):
      try advance()
      return .string(text)
    case .number(let text) where !Token.isFloat(text):
      try advance()
      return .int(try int(text, at: start))
    case .number, .identifier("nan"), .identifier("inf"): return .float(try float())
    case .identifier("floats"):
      try emptyList()
      return .floats([])
    case .identifier("strings"):
      try emptyList()
      return .strings([])
    case .punctuation("["):
      try advance()
      return try listAttribute()
    case .identifier(let name):
      guard let element = ElementType(rawValue: name) else { break }
      if try isFollowedByDims() { return .tensor(try elements(try type())) }
      try advance()
      return .element(element)
    default: break
    }
    throw expected("an attribute: a number, a string, a list, an element type or a tensor")
  }

  /// Whether the current word is directly followed by `[`.
  private func isFollowedByDims() throws(ParseError) -> Bool {
    var ahead = self
    try ahead.advance()
    return ahead.token == .punctuation("[")
  }

  private mutating func emptyList() throws(ParseError) {
    try advance()
    try expect("[")
    try expect("]")
  }

  /// A list of integers, of floats (integers among them are taken as floats) or of strings.
  private mutating func listAttribute() throws(ParseError) -> AttributeValue {
    if case .string = token {
      var strings: [String] = []
      try list(until: "]") { parser throws(ParseError) in strings.append(try parser.string()) }
      return .strings(strings)
    }
    var ints: [Int] = []
    var floats: [Float] = []
    var isFloat = false
    try list(until: "]") { parser throws(ParseError) in
      if case .number(let text) = parser.token, !Token.isFloat(text) {
        ints.append(try parser.int(text, at: parser.offset))
      } else {
        isFloat = true
      }
      floats.append(try parser.float())
    }
    return isFloat ? .floats(floats) : .ints(ints)
  }

  private func int(_ text: String, at offset: Int) throws(ParseError) -> Int {
    guard let value = Int(text) else { throw source.error("'\(text)' is no 64-bit integer", at: offset) }
    return value
  }

  private mutating func float() throws(ParseError) -> Float { Float(bitPattern: UInt32(try scalar(.f32))) }

  // MARK: Tensors

  /// The elements of a tensor of a type: a list in row-major order, a single element, or `blob(i)`.
  mutating func elements(_ written: (type: TensorType, offset: Int)) throws(ParseError) -> Tensor {
    let (type, typeOffset) = written
    guard let shape = type.constantShape, let count = Self.elementCount(shape) else {
      throw source.error("a constant needs extents that are integers, found \(type)", at: typeOffset)
    }
    let start = offset
    if try take(keyword: "blob") { return try blob(type, at: start) }
    var bits: [UInt64] = []
    if try take("[") {
      try list(until: "]") { parser throws(ParseError) in bits.append(try parser.scalar(type.element)) }
    } else {
      bits.append(try scalar(type.element))
    }
    guard bits.count == count else {
      throw source.error("\(type) has \(count) elements, found \(bits.count)", at: start)
    }
    return ElementText.tensor(type.element, shape, bits)
  }

  /// The product, or nil when an extent is negative or the size of the tensor exceeds the address space.
  static func elementCount(_ shape: [Int]) -> Int? {
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      if extent < 0 || overflow || product > Int.max / 16 { return nil }
      count = product
    }
    return count
  }

  private mutating func blob(_ type: TensorType, at start: Int) throws(ParseError) -> Tensor {
    try expect("(")
    guard case .number(let text) = token, let index = Int(text), index >= 0 else {
      throw expected("a blob's index")
    }
    try advance()
    try expect(")")
    guard index < blobs.count else {
      throw source.error("there is no blob \(index); the weights hold \(blobs.count)", at: start)
    }
    guard blobs[index].type == type else {
      throw source.error("blob \(index) is \(blobs[index].type), the text says \(type)", at: start)
    }
    return blobs[index]
  }

  /// One element, as bits.
  private mutating func scalar(_ element: ElementType) throws(ParseError) -> UInt64 {
    let start = offset
    guard let text = scalarText else { throw expected("an element of \(element)") }
    try advance()
    if text == "nan", try take("(") {
      guard case .number(let digits) = token, let bits = ElementText.nan(digits, element) else {
        throw expected("the bits of a NaN of \(element), such as 0x7fc00001")
      }
      try advance()
      try expect(")")
      return bits
    }
    guard let bits = ElementText.bits(of: text, element) else {
      throw source.error("'\(text)' is no element of \(element)", at: start)
    }
    return bits
  }

  private var scalarText: String? {
    switch token {
    case .number(let text): text
    case .identifier(let text) where ["true", "false", "nan", "inf"].contains(text): text
    default: nil
    }
  }
}
