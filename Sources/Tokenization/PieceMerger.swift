/// Byte-pair encoding of one piece of text after another.
///
/// 1. Cut the piece into words where no merge can happen (``MergeOptions/joinsWordMark``).
/// 2. A word met before has its tokens copied from the result.
/// 3. Characters become symbols: their token, their bytes' tokens, or the unknown token.
/// 4. While any adjacent pair has a merge, the one of lowest rank, leftmost first, becomes one symbol. A heap
///    holds the candidates; those outdated by earlier merges are passed over when they come up. O(n log n) in
///    the word's length.
struct PieceMerger {
  private struct Symbol {
    /// -1 once merged into its left neighbour.
    var token: TokenID
    var previous: Int32
    var next: Int32
  }

  /// A word already encoded: where its text and its tokens lie.
  private struct Memory {
    var hash: UInt64 = 0
    var text = 0..<0
    var tokens = 0..<0
  }

  private static let memorySlots = 4096
  /// Longer words hardly recur.
  private static let longestRemembered = 64

  private let vocabulary: Vocabulary
  private let merges: MergeTable
  private let options: MergeOptions
  private var symbols: [Symbol] = []
  private var heap = CandidateHeap()
  private var memory = [Memory](repeating: Memory(), count: memorySlots)

  init(_ tokenizer: Tokenizer) {
    vocabulary = tokenizer.vocabulary
    merges = tokenizer.merges
    options = tokenizer.pipeline.mergeOptions
  }

  /// Appends the tokens of `piece`.
  ///
  /// - Parameter bytes: the text all pieces lie in; the same in every call.
  /// - Parameter tokens: what earlier calls have appended to.
  mutating func encode(
    _ piece: Range<Int>, of bytes: UnsafeBufferPointer<UInt8>, into tokens: inout [TokenID]
  ) {
    if options.ignoresMerges, let token = vocabulary.token(UnsafeBufferPointer(rebasing: bytes[piece])) {
      tokens.append(token)
      return
    }
    var start = piece.lowerBound
    while start < piece.upperBound {
      let end = wordEnd(from: start, in: piece, of: bytes)
      encodeWord(start..<end, of: bytes, into: &tokens)
      start = end
    }
  }

  // MARK: Words

  private func wordEnd(from start: Int, in piece: Range<Int>, of bytes: UnsafeBufferPointer<UInt8>) -> Int {
    guard let joined = options.joinsWordMark else { return piece.upperBound }
    var offset = start + 1
    while offset + 2 < piece.upperBound {
      if bytes[offset] == 0xE2, bytes[offset + 1] == 0x96, bytes[offset + 2] == 0x81 {
        let previous = UTF8Text.scalar(in: bytes, before: offset)
        if previous != MergeOptions.wordMark, !joined.contains(previous) { return offset }
        offset += 2
      }
      offset += 1
    }
    return piece.upperBound
  }

  private mutating func encodeWord(
    _ word: Range<Int>, of bytes: UnsafeBufferPointer<UInt8>, into tokens: inout [TokenID]
  ) {
    let text = UnsafeBufferPointer(rebasing: bytes[word])
    guard text.count <= Self.longestRemembered else {
      merge(text, into: &tokens)
      return
    }
    let hash = ByteHash.hash(text)
    let slot = Int(truncatingIfNeeded: hash) & (Self.memorySlots - 1)
    let known = memory[slot]
    if known.hash == hash, UnsafeBufferPointer(rebasing: bytes[known.text]).elementsEqual(text) {
      for index in known.tokens { tokens.append(tokens[index]) }
      return
    }
    let first = tokens.count
    merge(text, into: &tokens)
    memory[slot] = Memory(hash: hash, text: word, tokens: first..<tokens.count)
  }

  // MARK: Merging

  private mutating func merge(_ text: UnsafeBufferPointer<UInt8>, into tokens: inout [TokenID]) {
    readSymbols(text)
    heap.removeAll()
    for position in symbols.indices.dropLast() {
      if let candidate = candidate(at: position, symbols[position].token, symbols[position + 1].token) {
        heap.append(candidate)
      }
    }
    heap.restoreOrder()
    while let candidate = heap.pop() { apply(candidate) }
    for symbol in symbols where symbol.token >= 0 { tokens.append(symbol.token) }
  }

  private func candidate(at position: Int, _ left: TokenID, _ right: TokenID) -> CandidateHeap.Candidate? {
    guard let merge = merges.merge(left, right) else { return nil }
    let order = UInt64(merge.rank) << 32 | UInt64(position)
    return CandidateHeap.Candidate(order: order, left: left, right: right, result: merge.result)
  }

  private mutating func apply(_ candidate: CandidateHeap.Candidate) {
    let position = Int(truncatingIfNeeded: candidate.order & 0xFFFF_FFFF)
    let symbol = symbols[position]
    guard symbol.token == candidate.left, symbol.next >= 0 else { return }
    let right = symbols[Int(symbol.next)]
    guard right.token == candidate.right else { return }
    symbols[Int(symbol.next)].token = -1
    symbols[position].token = candidate.result
    symbols[position].next = right.next
    if right.next >= 0 {
      symbols[Int(right.next)].previous = Int32(position)
      if let new = self.candidate(at: position, candidate.result, symbols[Int(right.next)].token) {
        heap.push(new)
      }
    }
    if symbol.previous >= 0 {
      let before = Int(symbol.previous)
      if let new = self.candidate(at: before, symbols[before].token, candidate.result) { heap.push(new) }
    }
  }

  /// The characters of `text` as linked symbols.
  private mutating func readSymbols(_ text: UnsafeBufferPointer<UInt8>) {
    symbols.removeAll(keepingCapacity: true)
    var hasPendingUnknown = false
    var offset = 0
    while offset < text.count {
      let (scalar, length) = UTF8Text.scalar(in: text, at: offset)
      let character = offset..<offset + length
      offset += length
      if let token = vocabulary.token(of: scalar, UnsafeBufferPointer(rebasing: text[character])) {
        if hasPendingUnknown, let unknown = options.unknown { append(unknown) }
        hasPendingUnknown = false
        append(token)
      } else if appendBytes(text[character]) {
        // As in the reference, an unknown character in front stays pending and comes after these bytes.
      } else if let unknown = options.unknown {
        if hasPendingUnknown, !options.fusesUnknown { append(unknown) }
        hasPendingUnknown = true
      }
    }
    if hasPendingUnknown, let unknown = options.unknown { append(unknown) }
    if let last = symbols.indices.last { symbols[last].next = -1 }
  }

  /// Whether all of `bytes` have a token, which are then appended.
  private mutating func appendBytes(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
    guard !options.byteTokens.isEmpty, bytes.allSatisfy({ options.byteTokens[Int($0)] != nil }) else {
      return false
    }
    for byte in bytes {
      if let token = options.byteTokens[Int(byte)] { append(token) }
    }
    return true
  }

  private mutating func append(_ token: TokenID) {
    let position = Int32(symbols.count)
    symbols.append(Symbol(token: token, previous: position - 1, next: position + 1))
  }
}
