/// Queries that share keys and values: some rows of some query heads of one group.
struct AttentionTile {
  var batch: Int
  var group: Int
  /// Query heads, rows.
  var heads: Range<Int>
  var rows: Range<Int>

  /// Queries are numbered row by row, the heads of a row side by side.
  var count: Int { heads.count * rows.count }
  @inline(__always) func row(_ query: Int) -> Int { rows.lowerBound + query / heads.count }
  @inline(__always) func head(_ query: Int) -> Int { heads.lowerBound + query % heads.count }
}

/// Cuts the queries of a call into tiles of at most sixteen, so that keys and values are read once for the
/// heads that share them and for neighbouring rows.
struct AttentionTiling {
  /// Most queries of a tile, which C kernels serve with one reading of the keys.
  static let queryCount = 16

  let batch: Int
  let groups: Int
  let headsPerGroup: Int
  let rows: Int

  private var headCount: Int { min(headsPerGroup, Self.queryCount) }
  private var rowCount: Int { max(1, Self.queryCount / headsPerGroup) }
  private var headParts: Int { (headsPerGroup + headCount - 1) / headCount }
  private var rowParts: Int { (rows + rowCount - 1) / rowCount }

  var count: Int { batch * groups * headParts * rowParts }

  /// Neighbours share keys.
  subscript(index: Int) -> AttentionTile {
    let (row, rest) = (index % rowParts * rowCount, index / rowParts)
    let (head, pair) = (rest % headParts * headCount, rest / headParts)
    let first = pair % groups * headsPerGroup
    return AttentionTile(
      batch: pair / groups, group: pair % groups,
      heads: first + head..<first + min(headsPerGroup, head + headCount),
      rows: row..<min(rows, row + rowCount))
  }
}
