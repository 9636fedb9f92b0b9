import GraphIR

/// What is evaluated for every position of a context, as far as a graph has them.
enum PositionRows {
  /// Reads runs of positions from 0 on, shorter ones where a run is refused, until one position is refused or `limit`
  /// is reached.
  ///
  /// - Returns: how many positions were read.
  static func read(limit: Int, _ run: (_ start: Int, _ count: Int) throws(Miss) -> Void) -> Int {
    var (start, chunk) = (0, 512)
    while start < limit, chunk > 0 {
      let count = min(chunk, limit - start)
      do throws(Miss) {
        try run(start, count)
        start += count
      } catch {
        chunk /= 2
      }
    }
    return start
  }
}
