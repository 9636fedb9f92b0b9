/// A step that turns token texts back into readable text.
enum DecoderStep: Sendable {
  case replace(TextPattern, with: [UInt8])
  /// Runs of tokens spelled `<0xNN>` become the text those bytes encode, or one U+FFFD each.
  case byteFallback
  /// Joins all tokens into one.
  case fuse
  /// Removes up to `start` leading and `stop` trailing `content` characters of each token.
  case strip(content: [UInt8], start: Int, stop: Int)
  /// Reads ``ByteLevelAlphabet`` and joins all tokens into one.
  case byteLevel
  /// `replacement` becomes a space, or nothing in the first token when `dropsFirst`.
  case metaspace(replacement: [UInt8], dropsFirst: Bool)
  /// Puts a space between tokens: what a tokenizer without decoder does.
  case separate

  static let accepted = ["Replace", "ByteFallback", "Fuse", "Strip", "ByteLevel", "Metaspace", "Sequence"]

  /// The steps of a tokenizer's decoder; a sequence is flattened.
  static func steps(_ json: JSONValue?) throws(TokenizationError) -> [DecoderStep] {
    guard let json else { return [.separate] }
    let component = try JSONComponent(kind: "decoder", json: json)
    switch component.name {
    case "Sequence":
      var steps: [DecoderStep] = []
      for element in try component.array("decoders") { steps += try Self.steps(element) }
      return steps
    case "Replace":
      let pattern = try component.pattern("pattern")
      return [.replace(pattern, with: Array(try component.string("content").utf8))]
    case "ByteFallback": return [.byteFallback]
    case "Fuse": return [.fuse]
    case "Strip":
      return [
        .strip(
          content: Array(String(try component.scalar("content")).utf8),
          start: try component.count("start"), stop: try component.count("stop"))
      ]
    case "ByteLevel": return [.byteLevel]
    case "Metaspace":
      let replacement = Array(String(try component.scalar("replacement")).utf8)
      return [
        .metaspace(replacement: replacement, dropsFirst: try PreTokenizer.PrependScheme(component) != .never)
      ]
    default: throw .unsupported("decoder", component.name, accepted: accepted)
    }
  }

  /// Whether everything after this step is one single token.
  var joinsTokens: Bool {
    switch self {
    case .fuse, .byteLevel, .separate: true
    default: false
    }
  }
}

extension DecoderStep {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .replace(let pattern, let content):
      writer.write(UInt8(0))
      pattern.write(to: &writer)
      writer.write(content)
    case .byteFallback: writer.write(UInt8(1))
    case .fuse: writer.write(UInt8(2))
    case .strip(let content, let start, let stop):
      writer.write(UInt8(3))
      writer.write(content)
      writer.write(UInt32(clamping: start))
      writer.write(UInt32(clamping: stop))
    case .byteLevel: writer.write(UInt8(4))
    case .metaspace(let replacement, let dropsFirst):
      writer.write(UInt8(5))
      writer.write(replacement)
      writer.write(dropsFirst)
    case .separate: writer.write(UInt8(6))
    }
  }

  init(from reader: inout ByteReader) throws(TokenizationError) {
    switch try reader.read(UInt8.self) {
    case 0:
      let pattern = try TextPattern(from: &reader)
      self = .replace(pattern, with: try reader.readBytes())
    case 1: self = .byteFallback
    case 2: self = .fuse
    case 3:
      let content = try Self.character(&reader)
      let start = Int(try reader.read(UInt32.self))
      self = .strip(content: content, start: start, stop: Int(try reader.read(UInt32.self)))
    case 4: self = .byteLevel
    case 5:
      let replacement = try Self.character(&reader)
      self = .metaspace(replacement: replacement, dropsFirst: try reader.readBool())
    case 6: self = .separate
    default: throw .corruptSection("an unknown decoder")
    }
  }

  private static func character(_ reader: inout ByteReader) throws(TokenizationError) -> [UInt8] {
    let text = try reader.readBytes()
    guard !text.isEmpty else { throw .corruptSection("an empty character") }
    return text
  }
}
