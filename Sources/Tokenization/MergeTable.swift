/// The merges of a section, by pair.
///
/// Open addressing; a slot is `left << 32 | right`, then `rank << 32 | result`, the latter all ones when
/// empty.
struct MergeTable: @unchecked Sendable {  // the section is read-only, and the tokenizer keeps its owner
  struct Merge {
    /// Merges of lower rank come first.
    let rank: UInt32
    let result: TokenID
  }

  struct Slot: BitwiseCopyable {
    var pair: UInt64
    var merge: UInt64

    static let empty = Slot(pair: .max, merge: .max)
  }

  private let slots: UnsafeBufferPointer<Slot>
  private let tokenCount: Int

  /// - Parameter tokenCount: one past the largest token id; merges to other ids do not exist.
  init(_ section: TokenizerSection, tokenCount: Int) throws(TokenizationError) {
    slots = try section.array(.mergeSlots, of: Slot.self)
    self.tokenCount = tokenCount
    guard !slots.isEmpty else { throw .corruptSection("it has no merge table") }
  }

  @inline(__always) static func pair(_ left: TokenID, _ right: TokenID) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The merge of two adjacent tokens.
  func merge(_ left: TokenID, _ right: TokenID) -> Merge? {
    let pair = Self.pair(left, right)
    var index = ByteHash.slot(ByteHash.mix(pair), capacity: slots.count)
    for _ in 0..<slots.count {
      let slot = slots[index]
      if slot.merge == Slot.empty.merge { return nil }
      if slot.pair == pair {
        let result = TokenID(truncatingIfNeeded: slot.merge)
        guard result >= 0, Int(result) < tokenCount else { return nil }
        return Merge(rank: UInt32(truncatingIfNeeded: slot.merge >> 32), result: result)
      }
      index = index + 1 == slots.count ? 0 : index + 1
    }
    return nil
  }
}
