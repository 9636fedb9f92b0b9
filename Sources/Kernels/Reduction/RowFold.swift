/// Folds of dense rows in a fixed order: 16 lanes, lane `i % 16` for element `i`, then the lanes pairwise.
enum RowFold {
  static let laneCount = 16

  /// `combine(... transform(x[i]) ...)` from `initial`, which must be neutral.
  @inline(__always)
  static func fold<T: BitwiseCopyable>(
    _ x: UnsafePointer<T>, _ count: Int, _ initial: T, _ transform: (T) -> T, _ combine: (T, T) -> T
  ) -> T {
    var lanes = InlineArray<16, T>(repeating: initial)
    var index = 0
    while index &+ laneCount <= count {
      for lane in 0..<laneCount { lanes[lane] = combine(lanes[lane], transform(x[index &+ lane])) }
      index &+= laneCount
    }
    for lane in 0..<(count &- index) { lanes[lane] = combine(lanes[lane], transform(x[index &+ lane])) }
    var width = laneCount / 2
    while width > 0 {
      for lane in 0..<width { lanes[lane] = combine(lanes[lane], lanes[lane &+ width]) }
      width /= 2
    }
    return lanes[0]
  }

  @inline(__always)
  static func sum<T: Number>(_ x: UnsafePointer<T>, _ count: Int) -> T {
    fold(x, count, 0, { $0 }, T.sum)
  }

  @inline(__always)
  static func sumOfSquares<T: Number>(_ x: UnsafePointer<T>, _ count: Int) -> T {
    fold(x, count, 0, { T.product($0, $0) }, T.sum)
  }

  @inline(__always)
  static func maximum<T: Number>(_ x: UnsafePointer<T>, _ count: Int) -> T {
    fold(x, count, T.lowest, { $0 }, T.greater)
  }

  @inline(__always)
  static func minimum<T: Number>(_ x: UnsafePointer<T>, _ count: Int) -> T {
    fold(x, count, T.highest, { $0 }, T.lesser)
  }
}
