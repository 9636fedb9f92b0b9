/// Added tokens sorted by text, in a section, and the search for them.
///
///     u32  count
///     u32  257 entries: the first token that starts with each byte or a later one
///     (text offset u32, byte count u32, id i32, options u32) per token, then the texts
struct AddedTokenIndex: @unchecked Sendable {  // the section is read-only, and the tokenizer keeps its owner
  private struct Entry: BitwiseCopyable {
    var offset: UInt32
    var count: UInt32
    var id: TokenID
    var options: UInt32
  }

  private static let startsByteCount = 4 * 258

  private let starts: UnsafeBufferPointer<UInt32>
  private let entries: UnsafeBufferPointer<Entry>
  private let texts: UnsafeBufferPointer<UInt8>

  init(_ bytes: UnsafeRawBufferPointer, tokenCount: Int) throws(TokenizationError) {
    guard bytes.count >= Self.startsByteCount else { throw .corruptSection("added tokens are cut off") }
    let words = UnsafeRawBufferPointer(rebasing: bytes[..<Self.startsByteCount]).assumingMemoryBound(
      to: UInt32.self)
    let count = Int(words[0])
    starts = UnsafeBufferPointer(rebasing: words[1...])
    guard count <= (bytes.count - Self.startsByteCount) / MemoryLayout<Entry>.stride else {
      throw .corruptSection("added tokens are cut off")
    }
    let end = Self.startsByteCount + count * MemoryLayout<Entry>.stride
    entries = UnsafeRawBufferPointer(rebasing: bytes[Self.startsByteCount..<end]).assumingMemoryBound(
      to: Entry.self)
    texts = UnsafeRawBufferPointer(rebasing: bytes[end...]).assumingMemoryBound(to: UInt8.self)
    let limit = texts.count
    guard starts.allSatisfy({ $0 <= count }), zip(starts, starts.dropFirst()).allSatisfy({ $0 <= $1 }),
      entries.allSatisfy({
        $0.count > 0 && Int($0.offset) + Int($0.count) <= limit && $0.id >= 0 && Int($0.id) < tokenCount
      })
    else { throw .corruptSection("added tokens lie outside of it") }
  }

  /// The index of `tokens`; of equal texts the first token counts.
  static func encode(_ tokens: [AddedToken]) -> [UInt8] {
    var ids: [[UInt8]: Int] = [:]
    for (index, token) in tokens.enumerated().reversed() where !token.content.isEmpty {
      ids[token.content] = index
    }
    let sorted = ids.values.map { tokens[$0] }.sorted { $0.content.lexicographicallyPrecedes($1.content) }
    var writer = ByteWriter()
    writer.write(UInt32(sorted.count))
    for byte in 0...256 { writer.write(UInt32(sorted.count { Int($0.content[0]) < byte })) }
    var offset = 0
    for token in sorted {
      writer.write(UInt32(offset))
      writer.write(UInt32(token.content.count))
      writer.write(token.id)
      writer.write(token.options.rawValue)
      offset += token.content.count
    }
    for token in sorted { writer.append(token.content) }
    return writer.bytes
  }

  /// Cuts `text` at the added tokens it contains; of those that start at one place the longest counts.
  ///
  /// - Parameter parts: gets the ranges of `text` in order, with the token that a range is.
  func cut(_ text: UnsafeBufferPointer<UInt8>, into parts: inout [(range: Range<Int>, token: TokenID?)]) {
    var (position, covered) = (0, 0)
    while position < text.count {
      guard let entry = longestMatch(in: text, at: position) else {
        position += 1
        continue
      }
      var (start, end) = (position, position + Int(entry.count))
      position = end
      let options = AddedToken.Options(rawValue: entry.options)
      if options.contains(.singleWord), Self.touchesWord(text, start..<end) { continue }
      if options.contains(.stripsLeft) { start = max(covered, Self.spaceStart(text, before: start)) }
      if options.contains(.stripsRight) { end = Self.spaceEnd(text, from: end) }
      if covered < start { parts.append((covered..<start, nil)) }
      // A token that the white space of the previous one has swallowed still counts.
      parts.append((min(start, end)..<end, entry.id))
      covered = end
    }
    if covered < text.count { parts.append((covered..<text.count, nil)) }
  }

  private func longestMatch(in text: UnsafeBufferPointer<UInt8>, at position: Int) -> Entry? {
    let first = Int(text[position])
    var (low, high) = (Int(starts[first]), Int(starts[first + 1]))
    var best: Entry?
    var depth = 1
    while low < high {
      if entries[low].count == depth {
        best = entries[low]
        low += 1
      }
      guard position + depth < text.count else { break }
      let byte = text[position + depth]
      low = lowerBound(of: Int(byte), at: depth, in: low..<high)
      high = lowerBound(of: Int(byte) + 1, at: depth, in: low..<high)
      depth += 1
    }
    return best
  }

  /// The first of `range` whose byte `depth` is at least `byte`.
  private func lowerBound(of byte: Int, at depth: Int, in range: Range<Int>) -> Int {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = (low + high) / 2
      let entry = entries[middle]
      let found = depth < entry.count ? Int(texts[Int(entry.offset) + depth]) : -1
      if found < byte { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private static func touchesWord(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    if range.lowerBound > 0, ScalarClass.word.contains(UTF8Text.scalar(in: text, before: range.lowerBound)) {
      return true
    }
    return range.upperBound < text.count
      && ScalarClass.word.contains(UTF8Text.scalar(in: text, at: range.upperBound).scalar)
  }

  private static func spaceStart(_ text: UnsafeBufferPointer<UInt8>, before offset: Int) -> Int {
    var start = offset
    while start > 0 {
      let scalar = UTF8Text.scalar(in: text, before: start)
      guard ScalarClass.space.contains(scalar) else { break }
      start -= String(scalar).utf8.count
    }
    return start
  }

  private static func spaceEnd(_ text: UnsafeBufferPointer<UInt8>, from offset: Int) -> Int {
    var end = offset
    while end < text.count {
      let (scalar, length) = UTF8Text.scalar(in: text, at: end)
      guard ScalarClass.space.contains(scalar) else { break }
      end += length
    }
    return end
  }
}
