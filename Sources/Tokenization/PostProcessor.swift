/// The special tokens put around a text.
struct PostProcessor: Equatable, Sendable {
  var prefix: [TokenID] = []
  var suffix: [TokenID] = []

  static let accepted = [
    "TemplateProcessing", "ByteLevel", "RobertaProcessing", "BertProcessing", "Sequence",
  ]

  init() {}

  /// - Parameter json: the `post_processor` of `tokenizer.json`.
  init(_ json: JSONValue?) throws(TokenizationError) {
    guard let json else { return }
    let component = try JSONComponent(kind: "post-processor", json: json)
    switch component.name {
    case "ByteLevel": break
    case "Sequence":
      for element in try component.array("processors") {
        let outer = try PostProcessor(element)
        prefix = outer.prefix + prefix
        suffix += outer.suffix
      }
    case "RobertaProcessing", "BertProcessing":
      prefix = [try Self.pairID("cls", component)]
      suffix = [try Self.pairID("sep", component)]
    case "TemplateProcessing": try readTemplate(component)
    default: throw .unsupported("post-processor", component.name, accepted: Self.accepted)
    }
  }

  /// The id of `["<s>", 0]`.
  private static func pairID(_ key: String, _ component: JSONComponent) throws(TokenizationError) -> TokenID {
    let pair = try component.array(key)
    guard pair.count == 2, let id = pair[1].int.flatMap(TokenID.init(exactly:)) else {
      throw .wrongType(key, in: component.name, expected: "a token and its id")
    }
    return id
  }

  private mutating func readTemplate(_ component: JSONComponent) throws(TokenizationError) {
    var hasText = false
    for piece in try component.array("single") {
      if let special = piece["SpecialToken"] {
        guard let name = special["id"]?.string else { throw .badTemplate }
        let token = component.json["special_tokens"]?.members?.last { $0.key.utf8.elementsEqual(name.utf8) }
        guard let ids = token?.value["ids"]?.array else {
          throw .missing("special_tokens: \(name): ids", in: component.name)
        }
        for id in ids {
          guard let id = id.int.flatMap(TokenID.init(exactly:)) else {
            throw .wrongType("ids", in: component.name, expected: "token ids")
          }
          if hasText { suffix.append(id) } else { prefix.append(id) }
        }
      } else {
        guard piece["Sequence"]?["id"]?.string == "A", !hasText else { throw .badTemplate }
        hasText = true
      }
    }
    guard hasText else { throw .badTemplate }
  }
}
