/// How the BPE model treats characters outside its vocabulary and whole words in it.
struct MergeOptions: Sendable {
  /// The token for a character outside the vocabulary; nil drops it.
  var unknown: TokenID?
  /// Whether adjacent unknown characters make one token.
  var fusesUnknown = false
  /// Whether a piece that is a token is taken whole, without merging.
  var ignoresMerges = false
  /// The token of each byte, for a character outside the vocabulary; empty without byte fallback, nil where a
  /// byte has no token.
  var byteTokens: [TokenID?] = []
  /// The scalars that some merge joins with a following U+2581; nil when U+2581 is no word boundary.
  ///
  /// Between any other character and U+2581 no merge can happen, so that the two sides are merged apart,
  /// which keeps pieces short where a pre-tokenizer does not.
  var joinsWordMark: Set<Unicode.Scalar>?

  /// U+2581, which stands for the space in front of a word.
  static let wordMark: Unicode.Scalar = "\u{2581}"

  init() {}

  func write(to writer: inout ByteWriter) {
    writer.write(unknown ?? -1)
    writer.write(fusesUnknown)
    writer.write(ignoresMerges)
    writer.write(byteTokens.map { $0 ?? -1 })
    writer.write(joinsWordMark != nil)
    let scalars = (joinsWordMark ?? []).sorted()
    writer.write(UInt32(scalars.count))
    for scalar in scalars { writer.write(scalar) }
  }

  init(from reader: inout ByteReader) throws(TokenizationError) {
    unknown = Self.present(try reader.read(TokenID.self))
    fusesUnknown = try reader.readBool()
    ignoresMerges = try reader.readBool()
    byteTokens = try reader.readIDs().map(Self.present)
    guard byteTokens.isEmpty || byteTokens.count == 256 else { throw .corruptSection("not 256 byte tokens") }
    let hasBoundary = try reader.readBool()
    let scalars = Set(try reader.readList { reader throws(TokenizationError) in try reader.readScalar() })
    joinsWordMark = hasBoundary ? scalars : nil
  }

  private static func present(_ id: TokenID) -> TokenID? { id == -1 ? nil : id }

  var tokenIDs: [TokenID] { byteTokens.compactMap { $0 } + (unknown.map { [$0] } ?? []) }
}
