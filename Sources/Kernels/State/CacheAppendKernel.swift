import Tensors

enum StateKernels {
  static let entries: [KernelEntry] = [
    KernelEntry(
      "cache_append",
      sharing: .updates { [CacheUpdate(operand: 0, result: 0, axis: $0.int("axis", default: 0))] }
    ) { CacheAppendKernel(axis: $0.int("axis", default: 0)) }
  ]
}

/// Appends `update` to a cache along one axis, in the cache's own memory.
struct CacheAppendKernel: Kernel {
  let axis: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let (cache, update) = (call[0], call[1])
    guard axis >= 1, axis < cache.rank, cache.rank == update.rank, cache.element == update.element else {
      throw .invalid(
        "cannot append \(update.element)\(update.shape.array) to a cache of \(cache.element)\(cache.shape.array)"
      )
    }
    for other in 0..<cache.rank where other != axis && cache.shape[other] != update.shape[other] {
      throw .invalid(
        "cannot append \(update.shape.array) to a cache of \(cache.shape.array) along axis \(axis)")
    }
    let longer = try cache.extended(axis, by: update.shape[axis])
    StridedCopy.run(
      from: update, to: longer.narrowed(axis, from: cache.shape[axis], count: update.shape[axis]))
    call.alias(0, longer)
  }
}

extension TensorView {
  /// A cache, longer by `count` positions along an axis after the first.
  ///
  /// The cache is a view of memory with room for more positions: the stride of the axis before the one that
  /// grows tells how many fit.
  func extended(_ axis: Int, by count: Int) throws(KernelError) -> TensorView {
    let capacity = strides[axis - 1] / max(strides[axis], 1)
    var longer = self
    longer.shape[axis] += count
    guard longer.shape[axis] <= capacity else {
      throw .invalid("the cache holds \(capacity) positions, \(longer.shape[axis]) are needed")
    }
    return longer
  }
}
