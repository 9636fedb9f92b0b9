import Tensors

enum GatherKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("gather") { GatherKernel(axis: $0.int("axis", default: 0)) },
    EmbeddingKernel.entry,
    KernelEntry("gather_elements") { GatherElementsKernel(axis: $0.int("axis", default: 0)) },
    KernelEntry("gather_nd") { GatherNDKernel(batchAxes: $0.int("batch_dims", default: 0)) },
  ]
}

/// An index into an axis; negative ones count from the back.
@inline(__always)
func resolveIndex(_ index: Int, _ extent: Int) throws(KernelError) -> Int {
  let resolved = index < 0 ? index &+ extent : index
  guard resolved >= 0, resolved < extent else {
    throw .invalid("index \(index) is out of range, accepted are \(-extent)..<\(extent)")
  }
  return resolved
}

/// Slices of one axis picked by indices of any shape: `y[a.., i.., b..] = x[a.., indices[i..], b..]`.
struct GatherKernel: Kernel {
  let axis: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, indexShape) = (call[0], call[1].shape)
    let axis = try x.shape.axis(axis)
    let indices = try call.integerBuffer(1)
    guard x.rank - 1 + indexShape.count <= Extents.maximumRank else {
      throw .unsupported("the result has rank \(x.rank - 1 + indexShape.count)")
    }
    var shape = Extents()
    for other in 0..<axis { shape.append(x.shape[other]) }
    for other in 0..<indexShape.count { shape.append(indexShape[other]) }
    for other in (axis + 1)..<max(axis + 1, x.rank) { shape.append(x.shape[other]) }
    let y = call.allocate(0, x.element, shape)
    // The result with the axes of the indices taken as one.
    var flat = x
    flat.base = y.base
    flat.shape[axis] = indices.count
    flat.strides = Extents.rowMajorStrides(of: flat.shape)
    for (place, index) in indices.enumerated() {
      let index = try resolveIndex(index, x.shape[axis])
      StridedCopy.run(
        from: x.narrowed(axis, from: index, count: 1), to: flat.narrowed(axis, from: place, count: 1))
    }
  }
}

/// `y[i, j, k] = x[i, indices[i, j, k], k]` for axis 1; the shapes may differ along the axis, `indices` may
/// be smaller.
struct GatherElementsKernel: Kernel {
  let axis: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, shape) = (call[0], call[1].shape)
    let axis = try x.shape.axis(axis)
    guard shape.count == x.rank else {
      throw .invalid("indices have rank \(shape.count), the data \(x.rank); accepted are equal ranks")
    }
    for other in 0..<x.rank where other != axis && shape[other] > x.shape[other] {
      throw .invalid("indices \(shape.array) exceed data \(x.shape.array) on axis \(other)")
    }
    let indices = try call.integerBuffer(1)
    let y = call.allocate(0, x.element, shape)
    let size = x.element.byteCount
    var walk = IndexWalk(shape)
    for place in 0..<indices.count {
      var offset = try resolveIndex(indices[place], x.shape[axis]) &* x.strides[axis]
      for other in 0..<x.rank where other != axis { offset &+= walk.index[other] &* x.strides[other] }
      (y.base + place * size).copyMemory(from: x.address(offset), byteCount: size)
      walk.advance()
    }
  }
}

/// Slices picked by index tuples: `y[b.., i.., s..] = x[b.., indices[b.., i..]..., s..]`, `b` being
/// `batch_dims` axes.
struct GatherNDKernel: Kernel {
  let batchAxes: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let (x, indexShape) = (call[0], call[1].shape)
    guard indexShape.count >= 1 else { throw .invalid("indices are a scalar, accepted is rank 1 or more") }
    let depth = indexShape[indexShape.count - 1]
    guard batchAxes >= 0, batchAxes < indexShape.count, batchAxes + depth <= x.rank else {
      throw .invalid("\(batchAxes) batch axes and tuples of \(depth) do not fit data \(x.shape.array)")
    }
    for axis in 0..<batchAxes where x.shape[axis] != indexShape[axis] {
      throw .invalid(
        "batch axis \(axis) is \(x.shape[axis]) in the data and \(indexShape[axis]) in the indices")
    }
    let indices = try call.integerBuffer(1)
    var (shape, slice) = (Extents(), TensorView(x.base, x.element, Extents(), strides: Extents()))
    for axis in 0..<(indexShape.count - 1) { shape.append(indexShape[axis]) }
    for axis in (batchAxes + depth)..<max(batchAxes + depth, x.rank) {
      shape.append(x.shape[axis])
      slice.shape.append(x.shape[axis])
      slice.strides.append(x.strides[axis])
    }
    let y = call.allocate(0, x.element, shape)
    let sliceBytes = slice.byteCount
    let batches = indexShape.product(0..<batchAxes)
    let tuples = indexShape.product(0..<(indexShape.count - 1))
    var lead = Extents()
    for axis in 0..<batchAxes { lead.append(indexShape[axis]) }
    var walk = IndexWalk(lead)
    for tuple in 0..<tuples {
      if tuple > 0, tuple % (tuples / batches) == 0 { walk.advance() }
      var offset = 0
      for axis in 0..<batchAxes { offset &+= walk.index[axis] &* x.strides[axis] }
      for entry in 0..<depth {
        let axis = batchAxes + entry
        offset &+= try resolveIndex(indices[tuple * depth + entry], x.shape[axis]) &* x.strides[axis]
      }
      slice.base = x.address(offset)
      StridedCopy.run(from: slice, to: TensorView(y.base + tuple * sliceBytes, x.element, slice.shape))
    }
  }
}

/// Counts through the positions of a shape in row-major order.
struct IndexWalk {
  let shape: Extents
  private(set) var index: Extents

  init(_ shape: Extents) {
    self.shape = shape
    index = Extents(repeating: 0, count: shape.count)
  }

  @inline(__always)
  mutating func advance() {
    var axis = shape.count - 1
    while axis >= 0 {
      index[axis] &+= 1
      if index[axis] < shape[axis] { return }
      index[axis] = 0
      axis -= 1
    }
  }
}
