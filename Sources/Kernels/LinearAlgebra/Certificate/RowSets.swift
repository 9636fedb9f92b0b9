import Tensors

/// Sets of rows of a vocabulary, a bit for each row.
struct RowSets {
  /// Rows that lie in one word, which one thread writes.
  static let wordRows = 64

  private let words: UnsafeMutablePointer<UInt64>
  private let wordCount: Int

  /// - Parameter count: sets. All words must be written before they are read.
  init(count: Int, vocabulary: Int, _ resources: Resources) {
    wordCount = (vocabulary + Self.wordRows - 1) / Self.wordRows
    words = resources.scratch(byteCount: count * wordCount * 8)
      .bindMemory(to: UInt64.self, capacity: count * wordCount)
  }

  /// Says which of the rows from `first` on, a multiple of ``wordRows``, are in a set.
  @inline(__always)
  func set(_ set: Int, from first: Int, _ bits: UInt64) {
    words[set &* wordCount &+ first / Self.wordRows] = bits
  }

  /// Rows in a set.
  func count(_ set: Int) -> Int {
    var count = 0
    for index in set * wordCount..<(set + 1) * wordCount { count += words[index].nonzeroBitCount }
    return count
  }

  /// Writes the rows of a set that lie in a range, which begins with a word, ascending, and returns how many they are.
  @discardableResult
  func list(_ set: Int, _ range: Range<Int>, into ids: UnsafeMutablePointer<Int32>) -> Int {
    var count = 0
    let words = words + set * wordCount
    for index in range.lowerBound / Self.wordRows..<(range.upperBound + Self.wordRows - 1) / Self.wordRows {
      var bits = words[index]
      while bits != 0 {
        ids[count] = Int32(index * Self.wordRows + bits.trailingZeroBitCount)
        count += 1
        bits &= bits - 1
      }
    }
    return count
  }
}
