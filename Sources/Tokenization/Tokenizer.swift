public import Foundation
import Tensors

/// Text to token ids and back, equal to Hugging Face `tokenizers` for byte-pair models.
///
/// Compiled once from `tokenizer.json`, then used in place from the bytes of ``serialized()``: loading parses
/// no JSON and copies nothing.
public final class Tokenizer: Sendable {
  let vocabulary: Vocabulary
  let merges: MergeTable
  let rawAddedTokens: AddedTokenIndex
  let normalizedAddedTokens: AddedTokenIndex
  let pipeline: Pipeline
  private let section: TokenizerSection
  private let owner: any AnyObject & Sendable

  /// - Parameter json: the text of `tokenizer.json`. Its `truncation` and `padding` are not applied.
  /// - Throws: ``TokenizationError`` naming the component that is malformed or not supported.
  public convenience init(compiling json: Data) throws(TokenizationError) {
    let bytes = try TokenizerDefinition(json: json).section()
    let storage = TensorStorage(byteCount: bytes.count)
    let buffer = UnsafeMutableRawBufferPointer(start: storage.base, count: bytes.count)
    buffer.copyBytes(from: bytes)
    try self.init(section: UnsafeRawBufferPointer(buffer), owner: storage)
  }

  /// A tokenizer over the bytes of ``serialized()``, which it uses where they lie.
  ///
  /// - Parameter section: the bytes, at an address that is a multiple of 8.
  /// - Parameter owner: keeps `section` alive and unchanged.
  /// - Throws: ``TokenizationError`` when `section` is corrupt.
  public init(section: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) throws(TokenizationError) {
    self.section = try TokenizerSection(section)
    self.owner = owner
    vocabulary = try Vocabulary(self.section)
    merges = try MergeTable(self.section, tokenCount: vocabulary.count)
    rawAddedTokens = try AddedTokenIndex(self.section[.rawAddedTokens], tokenCount: vocabulary.count)
    normalizedAddedTokens = try AddedTokenIndex(
      self.section[.normalizedAddedTokens], tokenCount: vocabulary.count)
    var reader = ByteReader(self.section[.pipeline])
    pipeline = try Pipeline(from: &reader)
    guard reader.isAtEnd else { throw .corruptSection("its pipeline has a ragged end") }
    let count = vocabulary.count
    guard pipeline.tokenIDs.allSatisfy({ $0 >= 0 && $0 < count }) else {
      throw .corruptSection("a token id is out of range")
    }
  }

  /// The compact form, for ``init(section:owner:)``. Equal `tokenizer.json` gives equal bytes.
  public func serialized() -> [UInt8] { Array(section.bytes) }

  /// The tokens of `text`.
  ///
  /// - Parameter addSpecialTokens: whether the model's usual prefix and suffix (`<bos>`) are added. Special
  ///   tokens spelled out in `text` are recognized either way.
  public func encode(_ text: String, addSpecialTokens: Bool = true) -> [TokenID] {
    var buffer = PieceBuffer(Array(text.utf8))
    buffer.cut { rawAddedTokens.cut($0, into: &$1) }
    if !pipeline.normalizers.isEmpty {
      buffer.rewrite { text, _, result in result += pipeline.normalized(Array(text)) }
    }
    buffer.cut { normalizedAddedTokens.cut($0, into: &$1) }
    for step in pipeline.preTokenizers { step.apply(to: &buffer) }

    var tokens = addSpecialTokens ? pipeline.postProcessor.prefix : []
    var merger = PieceMerger(self)
    buffer.bytes.withUnsafeBufferPointer { bytes in
      for piece in buffer.pieces {
        if let token = piece.token {
          tokens.append(token)
        } else {
          merger.encode(piece.range, of: bytes, into: &tokens)
        }
      }
    }
    if addSpecialTokens { tokens += pipeline.postProcessor.suffix }
    return tokens
  }

  /// The text of `ids`; ids outside the vocabulary leave nothing.
  ///
  /// - Parameter skipSpecialTokens: whether special tokens leave nothing too.
  public func decode(_ ids: some Sequence<TokenID>, skipSpecialTokens: Bool = true) -> String {
    var decoder = StreamDecoder(self, skipSpecialTokens: skipSpecialTokens)
    var text = ""
    for id in ids { text += decoder.feed(id) }
    return text + decoder.finish()
  }
}
