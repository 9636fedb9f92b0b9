extension TokenizerDefinition {
  /// The bytes of the definition's ``TokenizerSection``; equal for equal definitions.
  func section() -> [UInt8] {
    let special = Set(addedTokens.filter(\.isSpecial).map(\.content))
    var (offsets, texts, flags) = (ByteWriter(), ByteWriter(), ByteWriter())
    for (id, token) in tokens.enumerated() {
      offsets.write(UInt32(texts.bytes.count))
      if let token { texts.append(token) }
      var flag: Vocabulary.Flags = token == nil ? [] : .present
      // As in the reference, a special token that decodes to another text does not count as one.
      if let decoded = pipeline.decodedForms[TokenID(id)] ?? token, special.contains(decoded) {
        flag.insert(.special)
      }
      flags.write(flag.rawValue)
    }
    offsets.write(UInt32(texts.bytes.count))
    var writer = ByteWriter()
    pipeline.write(to: &writer)
    let normalized = addedTokens.filter(\.isNormalized).map { token in
      var token = token
      token.content = pipeline.decodedForms[token.id] ?? token.content
      return token
    }
    return TokenizerSection.assemble([
      .tokenOffsets: offsets.bytes, .tokenText: texts.bytes, .tokenFlags: flags.bytes,
      .tokenSlots: tokenSlots(), .scalarTokens: scalarTokens(), .mergeSlots: mergeSlots(),
      .rawAddedTokens: AddedTokenIndex.encode(addedTokens.filter { !$0.isNormalized }),
      .normalizedAddedTokens: AddedTokenIndex.encode(normalized),
      .pipeline: writer.bytes,
    ])
  }

  /// Two thirds full, so that a search looks at few slots.
  private static func capacity(_ count: Int) -> Int { max(8, count + count / 2) }

  private func tokenSlots() -> [UInt8] {
    var slots = [UInt32](repeating: 0, count: Self.capacity(tokens.count))
    for (id, token) in tokens.enumerated() {
      guard let token else { continue }
      var slot = ByteHash.slot(token.withUnsafeBufferPointer(ByteHash.hash), capacity: slots.count)
      while slots[slot] != 0 { slot = slot + 1 == slots.count ? 0 : slot + 1 }
      slots[slot] = UInt32(id + 1)
    }
    return slots.withUnsafeBytes(Array.init)
  }

  private func scalarTokens() -> [UInt8] {
    let table = (0..<UInt16(Vocabulary.directScalars)).map { value in
      Unicode.Scalar(value).flatMap { ids[Array(String($0).utf8)] } ?? -1
    }
    return table.withUnsafeBytes(Array.init)
  }

  /// Of two merges of the same pair the later one counts, as in the reference.
  private func mergeSlots() -> [UInt8] {
    var slots = [MergeTable.Slot](repeating: .empty, count: Self.capacity(merges.count))
    for (rank, merge) in merges.enumerated() {
      let pair = MergeTable.pair(merge.left, merge.right)
      var index = ByteHash.slot(ByteHash.mix(pair), capacity: slots.count)
      while slots[index].merge != MergeTable.Slot.empty.merge, slots[index].pair != pair {
        index = index + 1 == slots.count ? 0 : index + 1
      }
      slots[index] = MergeTable.Slot(
        pair: pair, merge: UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merge.result)))
    }
    return slots.withUnsafeBytes(Array.init)
  }
}
