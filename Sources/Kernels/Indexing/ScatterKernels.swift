import Tensors

enum ScatterKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("scatter_elements", widensNarrowFloats: true) { attributes throws(KernelError) in
      ScatterElementsKernel(
        axis: attributes.int("axis", default: 0), reduction: try ScatterReduction(attributes))
    },
    KernelEntry("scatter_nd", widensNarrowFloats: true) { attributes throws(KernelError) in
      ScatterNDKernel(reduction: try ScatterReduction(attributes))
    },
    KernelEntry("tensor_scatter") { attributes throws(KernelError) in try TensorScatterKernel(attributes) },
  ]
}

/// What happens to the element that an update meets.
enum ScatterReduction: String, Sendable {
  case none, add, mul, min, max

  init(_ attributes: Attributes) throws(KernelError) {
    let name = attributes.string("reduction", default: "none")
    guard let reduction = ScatterReduction(rawValue: name) else {
      throw .invalid("reduction '\(name)', accepted are 'none', 'add', 'mul', 'min' and 'max'")
    }
    self = reduction
  }

  /// Combines each element of `target` with the one of `updates`; both have one shape.
  func apply(_ updates: TensorView, to target: TensorView) throws(KernelError) {
    if self == .none { return StridedCopy.run(from: updates, to: target) }
    switch target.element {
    case .f32: floats(updates, target, as: Float.self)
    case .f64: floats(updates, target, as: Double.self)
    case .i64: integers(updates, target, as: Int64.self)
    case .i32: integers(updates, target, as: Int32.self)
    case .i16: integers(updates, target, as: Int16.self)
    case .i8: integers(updates, target, as: Int8.self)
    case .u64: integers(updates, target, as: UInt64.self)
    case .u32: integers(updates, target, as: UInt32.self)
    case .u16: integers(updates, target, as: UInt16.self)
    case .u8: integers(updates, target, as: UInt8.self)
    default: throw .element(target.element, of: "data", accepted: "floats and integers of 8 bits or more")
    }
  }

  private func floats<T: BinaryFloatingPoint & BitwiseCopyable>(
    _ updates: TensorView, _ target: TensorView, as type: T.Type
  ) {
    switch self {
    case .none: break
    case .add: Self.combine(updates, target, as: type) { $0 + $1 }
    case .mul: Self.combine(updates, target, as: type) { $0 * $1 }
    case .min: Self.combine(updates, target, as: type) { $0.isNaN || $0 < $1 ? $0 : $1 }
    case .max: Self.combine(updates, target, as: type) { $0.isNaN || $0 > $1 ? $0 : $1 }
    }
  }

  private func integers<T: FixedWidthInteger & BitwiseCopyable>(
    _ updates: TensorView, _ target: TensorView, as type: T.Type
  ) {
    switch self {
    case .none: break
    case .add: Self.combine(updates, target, as: type) { $0 &+ $1 }
    case .mul: Self.combine(updates, target, as: type) { $0 &* $1 }
    case .min: Self.combine(updates, target, as: type) { Swift.min($0, $1) }
    case .max: Self.combine(updates, target, as: type) { Swift.max($0, $1) }
    }
  }

  @inline(__always)
  private static func combine<T: BitwiseCopyable>(
    _ updates: TensorView, _ target: TensorView, as type: T.Type, _ function: (T, T) -> T
  ) {
    let (to, from) = (
      target.base.assumingMemoryBound(to: T.self), updates.base.assumingMemoryBound(to: T.self)
    )
    StridedLoop(target.shape, target.strides, updates.strides).forEachRow { row in
      for index in 0..<row.count {
        let place = row.offset0 &+ index &* row.stride0
        to[place] = function(to[place], from[row.offset1 &+ index &* row.stride1])
      }
    }
  }
}

/// A copy of the data where `y[i, indices[i, j, k], k]` takes `updates[i, j, k]`, for axis 1.
struct ScatterElementsKernel: Kernel {
  let axis: Int
  let reduction: ScatterReduction

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, updates) = (call[0], call[2])
    let axis = try x.shape.axis(axis)
    guard call[1].shape == updates.shape, updates.rank == x.rank, updates.element == x.element else {
      throw .invalid(
        "indices \(call[1].shape.array) and updates \(updates.element)\(updates.shape.array) do not fit data "
          + "\(x.element)\(x.shape.array)")
    }
    let indices = try call.integerBuffer(1)
    let y = call.allocate(0, x.element, x.shape)
    StridedCopy.run(from: x, to: y)
    var walk = IndexWalk(updates.shape)
    var target = TensorView(y.base, y.element, Extents())
    var update = TensorView(updates.base, updates.element, Extents())
    for place in 0..<indices.count {
      var (to, from) = (0, 0)
      for other in 0..<x.rank {
        let position = other == axis ? try resolveIndex(indices[place], x.shape[axis]) : walk.index[other]
        guard position < x.shape[other] else {
          throw .invalid("indices \(updates.shape.array) exceed data \(x.shape.array) on axis \(other)")
        }
        to &+= position &* y.strides[other]
        from &+= walk.index[other] &* updates.strides[other]
      }
      target.base = y.address(to)
      update.base = updates.address(from)
      try reduction.apply(update, to: target)
      walk.advance()
    }
  }
}

/// A copy of the data where the slice at each index tuple takes the slice of the updates.
struct ScatterNDKernel: Kernel {
  let reduction: ScatterReduction

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, indexShape, updates) = (call[0], call[1].shape, call.contiguous(2))
    let lead = indexShape.count - 1
    let depth = lead >= 0 ? indexShape[lead] : 0
    guard lead >= 0, depth <= x.rank, updates.element == x.element else {
      throw .invalid("indices \(indexShape.array) do not fit data \(x.element)\(x.shape.array)")
    }
    var (expected, slice) = (Extents(), Extents())
    for axis in 0..<lead { expected.append(indexShape[axis]) }
    for axis in depth..<max(depth, x.rank) {
      expected.append(x.shape[axis])
      slice.append(x.shape[axis])
    }
    guard updates.shape == expected else {
      throw .invalid("updates are \(updates.shape.array), accepted are \(expected.array)")
    }
    let indices = try call.integerBuffer(1)
    let y = call.allocate(0, x.element, x.shape)
    StridedCopy.run(from: x, to: y)
    let sliceCount = slice.product
    for tuple in 0..<indexShape.product(0..<lead) {
      var offset = 0
      for axis in 0..<depth {
        offset &+= try resolveIndex(indices[tuple * depth + axis], x.shape[axis]) &* y.strides[axis]
      }
      try reduction.apply(
        TensorView(updates.address(tuple * sliceCount), x.element, slice),
        to: TensorView(y.address(offset), x.element, slice))
    }
  }
}

/// Writes new entries into a cache along an axis, beginning at `write_indices[b]` for each batch entry.
///
/// Mode `linear` must stay inside; `circular` wraps around.
struct TensorScatterKernel: Kernel {
  let axis: Int
  let isCircular: Bool

  init(_ attributes: Attributes) throws(KernelError) {
    let mode = attributes.string("mode", default: "linear")
    guard mode == "linear" || mode == "circular" else {
      throw .invalid("mode '\(mode)', accepted are 'linear' and 'circular'")
    }
    axis = attributes.int("axis", default: -2)
    isCircular = mode == "circular"
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let (cache, update) = (call[0], call[1])
    let axis = try cache.shape.axis(axis)
    var expected = cache.shape
    expected[axis] = update.rank == cache.rank ? update.shape[axis] : -1
    guard update.shape == expected, update.element == cache.element, axis > 0 else {
      throw .invalid(
        "update \(update.element)\(update.shape.array) does not fit cache "
          + "\(cache.element)\(cache.shape.array) along axis \(axis)")
    }
    let starts = call.has(2) ? try call.integerBuffer(2) : nil
    guard starts?.count ?? cache.shape[0] == cache.shape[0] else {
      throw .invalid("write indices must have one entry for each of \(cache.shape[0]) batch entries")
    }
    let y = call.allocate(0, cache.element, cache.shape)
    StridedCopy.run(from: cache, to: y)
    let (capacity, count) = (cache.shape[axis], update.shape[axis])
    for batch in 0..<cache.shape[0] {
      let start = starts?[batch] ?? 0
      guard start >= 0, count <= capacity, isCircular || start <= capacity - count else {
        throw .invalid("\(count) entries from \(start) exceed the cache's \(capacity)")
      }
      let to = y.narrowed(0, from: batch, count: 1)
      let from = update.narrowed(0, from: batch, count: 1)
      let first = isCircular && capacity > 0 ? start % capacity : min(start, capacity)
      let head = min(count, capacity - first)
      StridedCopy.run(
        from: from.narrowed(axis, from: 0, count: head), to: to.narrowed(axis, from: first, count: head))
      StridedCopy.run(
        from: from.narrowed(axis, from: head, count: count - head),
        to: to.narrowed(axis, from: 0, count: count - head))
    }
  }
}
