import Tensors

/// Copies `y[i0, i1, ...] = x[m0[i0], m1[i1], ...]` with a table of source positions per axis.
enum MappedCopy {
  /// - Parameters:
  ///   - target: dense, with the extents of the tables.
  ///   - maps: per axis; a negative entry reads `fill`.
  ///   - fill: one element; needed when there are negative entries.
  static func run(from source: TensorView, to target: TensorView, maps: [[Int]], fill: UnsafeRawPointer?) {
    if target.elementCount == 0 { return }
    switch source.element.byteCount {
    case 8: copy(source, target, maps, fill?.loadUnaligned(as: UInt64.self) ?? 0)
    case 4: copy(source, target, maps, fill?.loadUnaligned(as: UInt32.self) ?? 0)
    case 2: copy(source, target, maps, fill?.loadUnaligned(as: UInt16.self) ?? 0)
    default: copy(source, target, maps, fill?.load(as: UInt8.self) ?? 0)
    }
  }

  @inline(__always)
  private static func copy<T: BitwiseCopyable>(
    _ source: TensorView, _ target: TensorView, _ maps: [[Int]], _ fill: T
  ) {
    let from = source.base.assumingMemoryBound(to: T.self)
    var to = target.base.assumingMemoryBound(to: T.self)
    guard let inner = maps.last else {
      to[0] = from[0]
      return
    }
    let lead = maps.count - 1
    let step = source.strides[lead]
    var index = Extents(repeating: 0, count: lead)
    for _ in 0..<(target.elementCount / inner.count) {
      var (offset, isInside) = (0, true)
      for axis in 0..<lead {
        let position = maps[axis][index[axis]]
        if position < 0 { isInside = false } else { offset &+= position &* source.strides[axis] }
      }
      for (place, position) in inner.enumerated() {
        to[place] = isInside && position >= 0 ? from[offset &+ position &* step] : fill
      }
      to += inner.count
      var axis = lead - 1
      while axis >= 0 {
        index[axis] += 1
        if index[axis] < maps[axis].count { break }
        index[axis] = 0
        axis -= 1
      }
    }
  }
}
