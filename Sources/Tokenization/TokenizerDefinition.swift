import Foundation

/// A `tokenizer.json` understood: what its section is made from.
struct TokenizerDefinition {
  /// Ids at or above this are refused; no vocabulary comes near it.
  static let tokenLimit = 1 << 24

  /// A merge of two tokens; its place in the list is its rank.
  struct Merge {
    var left: TokenID
    var right: TokenID
    var result: TokenID
  }

  /// The text of each id; nil for an id that is not in use.
  private(set) var tokens: [[UInt8]?] = []
  private(set) var ids: [[UInt8]: TokenID] = [:]
  private(set) var merges: [Merge] = []
  /// In the order in which they were added, special ones first.
  private(set) var addedTokens: [AddedToken] = []
  private(set) var pipeline = Pipeline()

  /// Added tokens do not count here: the reference numbers new ones from this on.
  private var modelTokenCount = 0

  /// - Parameter json: the text of `tokenizer.json`.
  /// - Throws: ``TokenizationError`` naming the first component that is malformed or not supported.
  init(json: Data) throws(TokenizationError) {
    let root = try JSONParser.parse(json)
    guard let model = root["model"] else { throw .missing("model", in: "tokenizer") }
    pipeline.normalizers = try Normalizer.steps(root["normalizer"])
    pipeline.preTokenizers = try PreTokenizer.steps(root["pre_tokenizer"])
    pipeline.decoders = try DecoderStep.steps(root["decoder"])
    try readModel(JSONComponent(name: model["type"]?.string ?? "BPE", json: model))
    try readAddedTokens(JSONComponent(name: "tokenizer", json: root))
    pipeline.postProcessor = try PostProcessor(root["post_processor"])
    let limit = Self.tokenLimit
    for id in pipeline.tokenIDs where id < 0 || id >= tokens.count {
      throw .badTokenID("\(id)", limit: min(limit, tokens.count))
    }
  }

  // MARK: Model

  private mutating func readModel(_ model: JSONComponent) throws(TokenizationError) {
    guard model.name == "BPE" else { throw .unsupported("model", model.name, accepted: ["BPE"]) }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let value = model.json[key], value.string != "" {
        throw .unsupportedOption(key, in: model.name, accepted: "null")
      }
    }
    if let dropout = model.json["dropout"], dropout.int != 0 {
      throw .unsupportedOption("dropout", in: model.name, accepted: "null")
    }
    guard let vocabulary = model.json["vocab"]?.members else { throw .missing("vocab", in: model.name) }
    for member in vocabulary { try insert(Array(member.key.utf8), id: member.value.int) }
    modelTokenCount = ids.count
    try readMerges(try model.array("merges"))
    try readOptions(model)
  }

  private mutating func insert(_ text: [UInt8], id: Int?) throws(TokenizationError) {
    guard let id, (0..<Self.tokenLimit).contains(id) else {
      throw .badTokenID(Self.name(text), limit: Self.tokenLimit)
    }
    if let old = ids[text] { tokens[Int(old)] = nil }
    if id >= tokens.count { tokens.append(contentsOf: repeatElement(nil, count: id + 1 - tokens.count)) }
    if let other = tokens[id] { throw .sharedTokenID(id, Self.name(other), Self.name(text)) }
    tokens[id] = text
    ids[text] = TokenID(id)
  }

  private mutating func readMerges(_ list: [JSONValue]) throws(TokenizationError) {
    merges.reserveCapacity(list.count)
    for element in list {
      if element.string?.hasPrefix("#version") == true { continue }
      let rank = merges.count
      guard let (left, right) = Self.pair(element) else { throw .badMerge(rank: rank) }
      merges.append(
        Merge(
          left: try mergeToken(left, rank: rank), right: try mergeToken(right, rank: rank),
          result: try mergeToken(left + right, rank: rank)))
    }
  }

  private func mergeToken(_ text: [UInt8], rank: Int) throws(TokenizationError) -> TokenID {
    guard let id = ids[text] else { throw .mergeOutOfVocabulary(Self.name(text), rank: rank) }
    return id
  }

  /// The two tokens of `"a b"` or `["a", "b"]`.
  private static func pair(_ element: JSONValue) -> (left: [UInt8], right: [UInt8])? {
    if let line = element.string {
      let parts = line.utf8.split(separator: 0x20, omittingEmptySubsequences: false)
      return parts.count == 2 ? (Array(parts[0]), Array(parts[1])) : nil
    }
    guard let parts = element.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string
    else {
      return nil
    }
    return (Array(left.utf8), Array(right.utf8))
  }

  private mutating func readOptions(_ model: JSONComponent) throws(TokenizationError) {
    var options = MergeOptions()
    options.fusesUnknown = try model.bool("fuse_unk", default: false)
    options.ignoresMerges = try model.bool("ignore_merges", default: false)
    if let name = model.json["unk_token"]?.string {
      guard let id = ids[Array(name.utf8)] else { throw .unknownTokenOutOfVocabulary(name) }
      options.unknown = id
    }
    if try model.bool("byte_fallback", default: false) {
      options.byteTokens = (0...255).map { byte in
        let digits = String(byte, radix: 16, uppercase: true)
        return ids[Array("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8)]
      }
    }
    options.joinsWordMark = joinsWordMark()
    pipeline.mergeOptions = options
  }

  /// See ``MergeOptions/joinsWordMark``.
  private func joinsWordMark() -> Set<Unicode.Scalar>? {
    let mark = Array(String(MergeOptions.wordMark).utf8)
    guard ids[mark] != nil else { return nil }
    var result: Set<Unicode.Scalar> = []
    for merge in merges {
      guard let right = tokens[Int(merge.right)], right.starts(with: mark) else { continue }
      guard let last = tokens[Int(merge.left)].map(Self.name)?.unicodeScalars.last else { return nil }
      if last != MergeOptions.wordMark { result.insert(last) }
    }
    return result.count <= 64 ? result : nil
  }

  private static func name(_ text: [UInt8]) -> String { String(decoding: text, as: UTF8.self) }

  // MARK: Added tokens

  /// Gives each added token the id of the vocabulary, or the next free one, as the reference does.
  private mutating func readAddedTokens(_ root: JSONComponent) throws(TokenizationError) {
    guard root.json["added_tokens"] != nil else { return }
    var largest: TokenID?
    for element in try root.array("added_tokens") {
      var token = try AddedToken(element)
      if token.content.isEmpty { continue }
      if let id = ids[token.content] {
        token.id = id
      } else {
        let next = max(modelTokenCount, largest.map { Int($0) + 1 } ?? 0)
        try insert(token.content, id: next)
        token.id = TokenID(next)
      }
      largest = max(largest ?? 0, token.id)
      addedTokens.removeAll { $0.id == token.id }
      addedTokens.append(token)
    }
    addedTokens = addedTokens.filter(\.isSpecial) + addedTokens.filter { !$0.isSpecial }
    for token in addedTokens where token.isNormalized {
      let form = pipeline.normalized(token.content)
      if form != token.content { pipeline.decodedForms[token.id] = form }
    }
  }
}
