public import Tensors

/// Walks up to three equally shaped strided views row by row, after merging axes that are laid out as one.
///
/// 1. Axes of extent 1 are dropped.
/// 2. Neighbouring axes merge when, in every view, the outer stride is the inner stride times the inner extent.
/// 3. The innermost axis becomes a row with one stride per view; the rest is an odometer.
public struct StridedLoop {
  /// One run along the innermost axis; offsets and strides in elements.
  public struct Row {
    public var count: Int
    public var offset0 = 0, offset1 = 0, offset2 = 0
    public var stride0: Int, stride1: Int, stride2: Int
  }

  private var extents = Extents()
  private var strides0 = Extents(), strides1 = Extents(), strides2 = Extents()
  private let isEmpty: Bool

  public init(_ shape: Extents, _ a: Extents, _ b: Extents) { self.init(shape, a, b, b) }

  public init(_ shape: Extents, _ a: Extents, _ b: Extents, _ c: Extents) {
    isEmpty = shape.product == 0
    for axis in 0..<shape.count where shape[axis] != 1 {
      let extent = shape[axis]
      let last = extents.count - 1
      if last >= 0, strides0[last] == a[axis] &* extent, strides1[last] == b[axis] &* extent,
        strides2[last] == c[axis] &* extent
      {
        extents[last] &*= extent
        strides0[last] = a[axis]
        strides1[last] = b[axis]
        strides2[last] = c[axis]
      } else {
        extents.append(extent)
        strides0.append(a[axis])
        strides1.append(b[axis])
        strides2.append(c[axis])
      }
    }
  }

  @inline(__always)
  public func forEachRow(_ body: (Row) -> Void) {
    if isEmpty { return }
    let inner = extents.count - 1
    guard inner >= 0 else {
      body(Row(count: 1, stride0: 1, stride1: 1, stride2: 1))
      return
    }
    var row = Row(
      count: extents[inner], stride0: strides0[inner], stride1: strides1[inner], stride2: strides2[inner])
    var index = Extents(repeating: 0, count: extents.count)
    while true {
      body(row)
      var axis = inner - 1
      while axis >= 0 {
        index[axis] &+= 1
        row.offset0 &+= strides0[axis]
        row.offset1 &+= strides1[axis]
        row.offset2 &+= strides2[axis]
        if index[axis] < extents[axis] { break }
        row.offset0 &-= strides0[axis] &* extents[axis]
        row.offset1 &-= strides1[axis] &* extents[axis]
        row.offset2 &-= strides2[axis] &* extents[axis]
        index[axis] = 0
        axis &-= 1
      }
      if axis < 0 { return }
    }
  }
}
