/// A token that is recognized in the text itself, before any splitting.
struct AddedToken {
  /// Conditions and reach of a match.
  struct Options: OptionSet {
    let rawValue: UInt32
    /// Matches only where no word character touches it.
    static let singleWord = Options(rawValue: 1)
    /// Swallows the white space before it.
    static let stripsLeft = Options(rawValue: 2)
    /// Swallows the white space behind it.
    static let stripsRight = Options(rawValue: 4)
  }

  var content: [UInt8]
  var id: TokenID
  var options: Options = []
  /// Whether it is looked for in normalized text, in its own normalized form.
  var isNormalized = false
  var isSpecial = false
}

extension AddedToken {
  /// Without its id, which depends on the vocabulary.
  init(_ json: JSONValue) throws(TokenizationError) {
    let component = JSONComponent(name: "added_tokens", json: json)
    content = Array(try component.string("content").utf8)
    id = -1
    if try component.bool("single_word", default: false) { options.insert(.singleWord) }
    if try component.bool("lstrip", default: false) { options.insert(.stripsLeft) }
    if try component.bool("rstrip", default: false) { options.insert(.stripsRight) }
    isSpecial = try component.bool("special", default: false)
    isNormalized = try component.bool("normalized", default: !isSpecial)
  }
}
