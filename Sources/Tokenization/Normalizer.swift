import Foundation

/// A step that rewrites text before it is split.
enum Normalizer: Sendable {
  /// A Unicode normalization form.
  enum Form: UInt8, CaseIterable { case nfc, nfd, nfkc, nfkd }

  case replace(TextPattern, with: [UInt8])
  case prepend([UInt8])
  case form(Form)
  case lowercase
  case strip(left: Bool, right: Bool)
  case stripAccents

  static let accepted = [
    "Replace", "Prepend", "Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents",
  ]

  /// The steps of one component; a sequence is flattened.
  static func steps(_ json: JSONValue?) throws(TokenizationError) -> [Normalizer] {
    guard let json else { return [] }
    let component = try JSONComponent(kind: "normalizer", json: json)
    switch component.name {
    case "Sequence":
      var steps: [Normalizer] = []
      for element in try component.array("normalizers") { steps += try Self.steps(element) }
      return steps
    case "Replace":
      let pattern = try component.pattern("pattern")
      return [.replace(pattern, with: Array(try component.string("content").utf8))]
    case "Prepend": return [.prepend(Array(try component.string("prepend").utf8))]
    case "NFC": return [.form(.nfc)]
    case "NFD": return [.form(.nfd)]
    case "NFKC": return [.form(.nfkc)]
    case "NFKD": return [.form(.nfkd)]
    case "Lowercase": return [.lowercase]
    case "Strip":
      return [
        .strip(
          left: try component.bool("strip_left", default: true),
          right: try component.bool("strip_right", default: true))
      ]
    case "StripAccents": return [.stripAccents]
    default: throw .unsupported("normalizer", component.name, accepted: accepted)
    }
  }

  /// The normalized text, empty for empty text.
  func apply(to text: [UInt8]) -> [UInt8] {
    switch self {
    case .replace(let pattern, let content): pattern.replacing(text, with: content)
    case .prepend(let prefix): text.isEmpty ? [] : prefix + text
    case .form(let form): form.apply(to: text)
    case .lowercase: Self.mapped(text) { $0.properties.lowercaseMapping }
    case .strip(let left, let right): Self.stripped(text, left: left, right: right)
    case .stripAccents: Self.mapped(text) { ScalarClass.isMark($0) ? "" : String($0) }
    }
  }

  private static func mapped(_ text: [UInt8], _ map: (Unicode.Scalar) -> String) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      result.append(contentsOf: map(scalar).utf8)
    }
    return result
  }

  private static func stripped(_ text: [UInt8], left: Bool, right: Bool) -> [UInt8] {
    var scalars = String(decoding: text, as: UTF8.self).unicodeScalars[...]
    if left { scalars = scalars.drop { $0.properties.isWhitespace } }
    if right {
      while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    }
    return Array(String(String.UnicodeScalarView(scalars)).utf8)
  }
}

extension Normalizer.Form {
  func apply(to text: [UInt8]) -> [UInt8] {
    if text.allSatisfy({ $0 < 0x80 }) { return text }
    let string = String(decoding: text, as: UTF8.self)
    let result =
      switch self {
      case .nfc: string.precomposedStringWithCanonicalMapping
      case .nfd: string.decomposedStringWithCanonicalMapping
      case .nfkc: string.precomposedStringWithCompatibilityMapping
      case .nfkd: string.decomposedStringWithCompatibilityMapping
      }
    return Array(result.utf8)
  }
}

extension Normalizer {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .replace(let pattern, let content):
      writer.write(UInt8(0))
      pattern.write(to: &writer)
      writer.write(content)
    case .prepend(let text):
      writer.write(UInt8(1))
      writer.write(text)
    case .form(let form):
      writer.write(UInt8(2))
      writer.write(form.rawValue)
    case .lowercase: writer.write(UInt8(3))
    case .strip(let left, let right):
      writer.write(UInt8(4))
      writer.write(left)
      writer.write(right)
    case .stripAccents: writer.write(UInt8(5))
    }
  }

  init(from reader: inout ByteReader) throws(TokenizationError) {
    switch try reader.read(UInt8.self) {
    case 0:
      let pattern = try TextPattern(from: &reader)
      self = .replace(pattern, with: try reader.readBytes())
    case 1: self = .prepend(try reader.readBytes())
    case 2:
      guard let form = Form(rawValue: try reader.read(UInt8.self)) else {
        throw .corruptSection("an unknown normalization form")
      }
      self = .form(form)
    case 3: self = .lowercase
    case 4:
      let left = try reader.readBool()
      self = .strip(left: left, right: try reader.readBool())
    case 5: self = .stripAccents
    default: throw .corruptSection("an unknown normalizer")
    }
  }
}
