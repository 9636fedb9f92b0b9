/// Bytes of weights that a token reads of a feed-forward block, by how they lie, and the time that takes.
///
/// Forms are chosen by time, not by bytes: rows in memory one behind the other come twice as fast as rows and columns
/// that are picked. The rates are those of two threads that wait for memory (AMD Zen 3; blocks of [18432, 1024] in q8b32
/// with 24 and 50 % of their neurons active, dense, with zeros left out, and predicted). Only their ratios count.
struct WeightTraffic {
  /// Rows one behind the other.
  var inOrder = 0
  /// Rows that are picked, and columns of down.
  var picked = 0, columns = 0

  var bytes: Int { inOrder + picked + columns }

  var nanoseconds: Double {
    Double(inOrder) * Self.inOrder + Double(picked) * Self.picked + Double(columns) * Self.columns
  }

  /// Nanoseconds per byte.
  private static let inOrder = 1 / 24.0, picked = 1 / 13.0, columns = 1 / 11.0
}
