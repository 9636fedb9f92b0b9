/// A step that cuts normalized text into pieces that are merged apart from each other.
enum PreTokenizer: Sendable {
  /// Where `Metaspace` puts its replacement in front of text that does not start with it.
  enum PrependScheme: UInt8 { case always, first, never }

  case split(TextPattern, SplitBehavior, invert: Bool)
  /// Puts a space before each piece that starts with none.
  case prefixSpace
  /// Spells every byte as a character of ``ByteLevelAlphabet``.
  case byteLevel
  /// Spaces become `replacement`; pieces start at it when `split`.
  case metaspace(replacement: Unicode.Scalar, PrependScheme, split: Bool)

  static let accepted = [
    "ByteLevel", "Split", "Digits", "Whitespace", "WhitespaceSplit", "Punctuation", "Metaspace", "Sequence",
  ]

  /// The steps of one component; a sequence is flattened.
  static func steps(_ json: JSONValue?) throws(TokenizationError) -> [PreTokenizer] {
    guard let json else { return [] }
    let component = try JSONComponent(kind: "pre-tokenizer", json: json)
    switch component.name {
    case "Sequence":
      var steps: [PreTokenizer] = []
      for element in try component.array("pretokenizers") { steps += try Self.steps(element) }
      return steps
    case "ByteLevel":
      var steps: [PreTokenizer] = try component.bool("add_prefix_space", default: true) ? [.prefixSpace] : []
      if try component.bool("use_regex", default: true) {
        steps.append(.split(.regex(try RegexPattern(RegexPattern.byteLevel)), .isolated, invert: false))
      }
      return steps + [.byteLevel]
    case "Split":
      let pattern = try component.pattern("pattern")
      let behavior = try SplitBehavior(name: try component.string("behavior"))
      return [.split(pattern, behavior, invert: try component.bool("invert", default: false))]
    case "Digits":
      let isolated = try component.bool("individual_digits", default: false)
      return [.split(.scalar(.numeric), isolated ? .isolated : .contiguous, invert: false)]
    case "Whitespace":
      return [.split(.regex(try RegexPattern(icu: RegexPattern.words)), .removed, invert: true)]
    case "WhitespaceSplit": return [.split(.scalar(.space), .removed, invert: false)]
    case "Punctuation":
      let behavior = component.json["behavior"] == nil ? "Isolated" : try component.string("behavior")
      return [.split(.scalar(.punctuation), try SplitBehavior(name: behavior), invert: false)]
    case "Metaspace":
      return [
        .metaspace(
          replacement: try component.scalar("replacement"), try PrependScheme(component),
          split: try component.bool("split", default: true))
      ]
    default: throw .unsupported("pre-tokenizer", component.name, accepted: accepted)
    }
  }

  func apply(to buffer: inout PieceBuffer) {
    switch self {
    case .split(let pattern, let behavior, let invert): buffer.split(pattern, behavior, invert: invert)
    case .prefixSpace:
      buffer.rewrite { text, _, result in
        if text.first != UInt8(ascii: " ") { result.append(UInt8(ascii: " ")) }
        result.append(contentsOf: text)
      }
    case .byteLevel:
      let spelling = ByteLevelAlphabet.spelling
      buffer.rewrite { text, _, result in
        for byte in text { result.append(contentsOf: spelling[Int(byte)]) }
      }
    case .metaspace(let replacement, let scheme, let split):
      let mark = Array(String(replacement).utf8)
      buffer.rewrite { text, isFirst, result in
        let isMarked = text.first == UInt8(ascii: " ") || text.starts(with: mark)
        if !isMarked, scheme == .always || (scheme == .first && isFirst) { result.append(contentsOf: mark) }
        for byte in text {
          if byte == UInt8(ascii: " ") { result.append(contentsOf: mark) } else { result.append(byte) }
        }
      }
      if split { buffer.split(.literal(mark), .mergedWithNext, invert: false) }
    }
  }
}

extension PreTokenizer.PrependScheme {
  /// From `prepend_scheme`, or the older `add_prefix_space`.
  init(_ component: JSONComponent) throws(TokenizationError) {
    if component.json["prepend_scheme"] == nil {
      self = try component.bool("add_prefix_space", default: true) ? .always : .never
      return
    }
    switch try component.string("prepend_scheme") {
    case "always": self = .always
    case "first": self = .first
    case "never": self = .never
    case let name: throw .unsupported("prepend scheme", name, accepted: ["always", "first", "never"])
    }
  }
}

extension PreTokenizer {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .split(let pattern, let behavior, let invert):
      writer.write(UInt8(0))
      pattern.write(to: &writer)
      writer.write(behavior.rawValue)
      writer.write(invert)
    case .prefixSpace: writer.write(UInt8(1))
    case .byteLevel: writer.write(UInt8(2))
    case .metaspace(let replacement, let scheme, let split):
      writer.write(UInt8(3))
      writer.write(replacement)
      writer.write(scheme.rawValue)
      writer.write(split)
    }
  }

  init(from reader: inout ByteReader) throws(TokenizationError) {
    switch try reader.read(UInt8.self) {
    case 0:
      let pattern = try TextPattern(from: &reader)
      guard let behavior = SplitBehavior(rawValue: try reader.read(UInt8.self)) else {
        throw .corruptSection("an unknown split behavior")
      }
      self = .split(pattern, behavior, invert: try reader.readBool())
    case 1: self = .prefixSpace
    case 2: self = .byteLevel
    case 3:
      let replacement = try reader.readScalar()
      guard let scheme = PrependScheme(rawValue: try reader.read(UInt8.self)) else {
        throw .corruptSection("an unknown prepend scheme")
      }
      self = .metaspace(replacement: replacement, scheme, split: try reader.readBool())
    default: throw .corruptSection("an unknown pre-tokenizer")
    }
  }
}
