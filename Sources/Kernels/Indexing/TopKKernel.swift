import Tensors

/// The `k` largest (or smallest) elements along an axis and their positions, in order; equal ones by
/// position.
struct TopKKernel: Kernel {
  let axis: Int
  let isLargest: Bool

  static let entry = KernelEntry("top_k", widensNarrowFloats: true) {
    TopKKernel(axis: $0.int("axis", default: -1), isLargest: $0.bool("largest", default: true))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let axis = try x.shape.axis(axis)
    let counts = try call.integerBuffer(1)
    guard counts.count == 1, (0...x.shape[axis]).contains(counts[0]) else {
      throw .invalid("k is \(Array(counts)), accepted is one number up to the extent \(x.shape[axis])")
    }
    switch x.element {
    case .f32: select(call, axis, counts[0], as: Float.self)
    case .f64: select(call, axis, counts[0], as: Double.self)
    case .i64: select(call, axis, counts[0], as: Int64.self)
    case .i32: select(call, axis, counts[0], as: Int32.self)
    case .i16: select(call, axis, counts[0], as: Int16.self)
    case .i8, .i4, .i2: select(call, axis, counts[0], as: Int8.self)
    case .u64: select(call, axis, counts[0], as: UInt64.self)
    case .u32: select(call, axis, counts[0], as: UInt32.self)
    case .u16: select(call, axis, counts[0], as: UInt16.self)
    case .u8, .u4, .u2: select(call, axis, counts[0], as: UInt8.self)
    default: throw .element(x.element, of: "x", accepted: "f16, bf16, f32, f64 and integers")
    }
  }

  private func select<T: Comparable & BitwiseCopyable>(
    _ call: KernelCall, _ axis: Int, _ k: Int, as type: T.Type
  ) {
    let x = call[0]
    var shape = x.shape
    shape[axis] = k
    let values = call.allocate(0, x.element, shape)
    let positions = call.allocate(1, .i64, shape)
    let (extent, step) = (x.shape[axis], x.strides[axis])
    let from = x.base.assumingMemoryBound(to: T.self)
    let toValues = values.base.assumingMemoryBound(to: T.self)
    let toPositions = positions.base.assumingMemoryBound(to: Int.self)
    let heap = call.resources.scratch(byteCount: k * 8).bindMemory(to: Int.self, capacity: k)
    let resultStep = values.strides[axis]
    var lead = x.shape
    lead[axis] = 1
    var walk = IndexWalk(lead)
    for _ in 0..<(extent == 0 || k == 0 ? 0 : lead.product) {
      var (source, target) = (0, 0)
      for other in 0..<x.rank {
        source &+= walk.index[other] &* x.strides[other]
        target &+= walk.index[other] &* values.strides[other]
      }
      let row = from + source
      /// Whether position `a` comes before `b`; NaN counts as larger than any number.
      func precedes(_ a: Int, _ b: Int) -> Bool {
        let (p, q) = (row[a &* step], row[b &* step])
        let (pIsNaN, qIsNaN) = (p != p, q != q)
        if pIsNaN || qIsNaN {
          return pIsNaN == qIsNaN ? a < b : pIsNaN == isLargest
        }
        if p == q { return a < b }
        return isLargest ? p > q : p < q
      }
      SelectionHeap.select(count: extent, k: k, into: heap, precedes)
      for place in 0..<k {
        toValues[target + place * resultStep] = row[heap[place] &* step]
        toPositions[target + place * resultStep] = heap[place]
      }
      walk.advance()
    }
  }
}

/// Keeps the first `k` of `0..<count` under an order, in O(count log k).
enum SelectionHeap {
  /// Fills `heap[0..<k]` with the first `k` numbers, in order.
  @inline(__always)
  static func select(count: Int, k: Int, into heap: UnsafeMutablePointer<Int>, _ precedes: (Int, Int) -> Bool)
  {
    // The root is the last one kept; children precede their parents.
    func sink(_ start: Int, _ size: Int) {
      var place = start
      while true {
        var child = 2 * place + 1
        if child >= size { return }
        if child + 1 < size, precedes(heap[child], heap[child + 1]) { child += 1 }
        if !precedes(heap[place], heap[child]) { return }
        (heap[place], heap[child]) = (heap[child], heap[place])
        place = child
      }
    }
    for index in 0..<k { heap[index] = index }
    for place in stride(from: k / 2 - 1, through: 0, by: -1) { sink(place, k) }
    for index in k..<count where precedes(index, heap[0]) {
      heap[0] = index
      sink(0, k)
    }
    for last in stride(from: k - 1, to: 0, by: -1) {
      (heap[0], heap[last]) = (heap[last], heap[0])
      sink(0, last)
    }
  }
}
