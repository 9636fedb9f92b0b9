/// Up to eight integers, one per axis, stored in place.
public struct Extents: Sendable, Equatable {
  /// The largest rank a tensor may have at run time.
  public static let maximumRank = 8

  @usableFromInline var storage: InlineArray<8, Int>
  @usableFromInline var rank: Int

  /// Number of axes.
  @inlinable public var count: Int { rank }

  @inlinable public init() {
    storage = InlineArray(repeating: 0)
    rank = 0
  }

  @inlinable public init(repeating value: Int, count: Int) {
    precondition(count <= Self.maximumRank, "rank exceeds 8")
    storage = InlineArray(repeating: value)
    rank = count
  }

  @inlinable public init(_ a: Int) { self.init(repeating: a, count: 1) }

  @inlinable public init(_ a: Int, _ b: Int) {
    storage = [a, b, 0, 0, 0, 0, 0, 0]
    rank = 2
  }

  @inlinable public init(_ a: Int, _ b: Int, _ c: Int) {
    storage = [a, b, c, 0, 0, 0, 0, 0]
    rank = 3
  }

  @inlinable public init(_ a: Int, _ b: Int, _ c: Int, _ d: Int) {
    storage = [a, b, c, d, 0, 0, 0, 0]
    rank = 4
  }

  public init(_ values: some Collection<Int>) {
    self.init(repeating: 0, count: values.count)
    for (axis, value) in values.enumerated() { storage[axis] = value }
  }

  @inlinable public subscript(axis: Int) -> Int {
    get { storage[axis] }
    set { storage[axis] = newValue }
  }

  @inlinable public mutating func append(_ value: Int) {
    precondition(count < Self.maximumRank, "rank exceeds 8")
    storage[rank] = value
    rank += 1
  }

  /// Product of all entries; 1 when empty.
  @inlinable public var product: Int {
    var result = 1
    for axis in 0..<count { result &*= storage[axis] }
    return result
  }

  /// Bytes of so many `element`s; nil when an entry is negative or the entries other than 0 multiply to more
  /// than memory can address.
  @inlinable public func byteCount(of element: ElementType) -> Int? {
    var (result, isEmpty) = (element.byteCount, false)
    for axis in 0..<count {
      let extent = storage[axis]
      if extent == 0 {
        isEmpty = true
        continue
      }
      let (product, overflows) = result.multipliedReportingOverflow(by: extent)
      guard extent > 0, !overflows, product <= Int.max / 16 else { return nil }
      result = product
    }
    return isEmpty ? 0 : result
  }

  public var array: [Int] { (0..<count).map { storage[$0] } }

  public static func == (a: Extents, b: Extents) -> Bool {
    guard a.count == b.count else { return false }
    for axis in 0..<a.count where a.storage[axis] != b.storage[axis] { return false }
    return true
  }

  /// Row-major strides, in elements.
  @inlinable public static func rowMajorStrides(of shape: Extents) -> Extents {
    var strides = Extents(repeating: 1, count: shape.count)
    var step = 1
    for axis in stride(from: shape.count - 1, through: 0, by: -1) {
      strides[axis] = step
      step &*= shape[axis]
    }
    return strides
  }
}

/// Elements in memory that something else owns, with a stride per axis, in elements: 0 repeats, negative
/// reverses.
public struct TensorView: @unchecked Sendable {  // the holder of the memory orders access to it
  public var base: UnsafeMutableRawPointer
  public var element: ElementType
  public var shape: Extents
  public var strides: Extents

  @inlinable public init(
    _ base: UnsafeMutableRawPointer, _ element: ElementType, _ shape: Extents, strides: Extents
  ) {
    self.base = base
    self.element = element
    self.shape = shape
    self.strides = strides
  }

  /// A dense row-major view.
  @inlinable public init(_ base: UnsafeMutableRawPointer, _ element: ElementType, _ shape: Extents) {
    self.init(base, element, shape, strides: Extents.rowMajorStrides(of: shape))
  }

  public init(_ tensor: Tensor) { self.init(tensor.base, tensor.element, Extents(tensor.shape)) }

  @inlinable public var rank: Int { shape.count }
  @inlinable public var elementCount: Int { shape.product }
  @inlinable public var byteCount: Int { elementCount &* element.byteCount }

  /// Whether elements lie in row-major order without gaps. Axes of extent 1 may have any stride.
  @inlinable public var isContiguous: Bool {
    var step = 1
    for axis in stride(from: rank - 1, through: 0, by: -1) {
      let extent = shape[axis]
      if extent == 0 { return true }
      if extent != 1, strides[axis] != step { return false }
      step &*= extent
    }
    return true
  }
}
