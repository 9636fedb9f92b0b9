/// The tokens of a section: text by id, id by text.
struct Vocabulary: @unchecked Sendable {  // the section is read-only, and the tokenizer keeps its owner
  /// What a token is.
  struct Flags: OptionSet {
    let rawValue: UInt8
    /// The id is in use; ids may have gaps.
    static let present = Flags(rawValue: 1)
    /// Leaves no text when special tokens are skipped.
    static let special = Flags(rawValue: 2)
  }

  /// Scalars below this have their token in a table.
  static let directScalars = 0x800

  private let offsets: UnsafeBufferPointer<UInt32>
  private let texts: UnsafeBufferPointer<UInt8>
  private let flags: UnsafeBufferPointer<UInt8>
  private let slots: UnsafeBufferPointer<UInt32>
  private let scalarTokens: UnsafeBufferPointer<TokenID>

  init(_ section: TokenizerSection) throws(TokenizationError) {
    offsets = try section.array(.tokenOffsets, of: UInt32.self)
    texts = try section.array(.tokenText, of: UInt8.self)
    flags = try section.array(.tokenFlags, of: UInt8.self)
    slots = try section.array(.tokenSlots, of: UInt32.self)
    scalarTokens = try section.array(.scalarTokens, of: TokenID.self)
    guard offsets.count == flags.count + 1, flags.count < Int(TokenID.max), !slots.isEmpty,
      scalarTokens.count == Self.directScalars
    else { throw .corruptSection("the vocabulary's tables do not fit together") }
    var previous: UInt32 = 0
    var isOrdered = true
    for offset in offsets {
      isOrdered = isOrdered && offset >= previous
      previous = offset
    }
    guard isOrdered, previous <= texts.count else { throw .corruptSection("token texts lie outside of it") }
    guard scalarTokens.allSatisfy({ $0 >= -1 && $0 < flags.count }), slots.allSatisfy({ $0 <= flags.count })
    else {
      throw .corruptSection("a token id is out of range")
    }
  }

  /// One past the largest id.
  var count: Int { flags.count }

  /// The UTF-8 text of a token; nil for an id that is not in use.
  func text(of id: TokenID) -> UnsafeBufferPointer<UInt8>? {
    guard id >= 0, Int(id) < count, Flags(rawValue: flags[Int(id)]).contains(.present) else { return nil }
    return UnsafeBufferPointer(rebasing: texts[Int(offsets[Int(id)])..<Int(offsets[Int(id) + 1])])
  }

  /// Whether the id is in use by a special token.
  func isSpecial(_ id: TokenID) -> Bool {
    id >= 0 && Int(id) < count && Flags(rawValue: flags[Int(id)]).contains(.special)
  }

  /// The token whose text is `bytes`.
  func token(_ bytes: UnsafeBufferPointer<UInt8>) -> TokenID? {
    var slot = ByteHash.slot(ByteHash.hash(bytes), capacity: slots.count)
    for _ in 0..<slots.count {
      let entry = slots[slot]
      if entry == 0 { return nil }
      let id = Int(entry) - 1
      let start = Int(offsets[id])
      if Int(offsets[id + 1]) - start == bytes.count,
        UnsafeBufferPointer(rebasing: texts[start..<start + bytes.count]).elementsEqual(bytes)
      {
        return TokenID(id)
      }
      slot = slot + 1 == slots.count ? 0 : slot + 1
    }
    return nil
  }

  /// The token of one character.
  /// - Parameter bytes: the UTF-8 of `scalar`.
  @inline(__always)
  func token(of scalar: Unicode.Scalar, _ bytes: @autoclosure () -> UnsafeBufferPointer<UInt8>) -> TokenID? {
    if scalar.value < Self.directScalars {
      let id = scalarTokens[Int(scalar.value)]
      return id < 0 ? nil : id
    }
    return token(bytes())
  }
}
