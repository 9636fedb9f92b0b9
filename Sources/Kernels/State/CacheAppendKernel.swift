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
///
/// The cache is a view of memory with room for more positions: the stride of the axis before the appended one
/// tells how many fit. The result is the same view, longer.
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
    let capacity = cache.strides[axis - 1] / max(cache.strides[axis], 1)
    let length = cache.shape[axis] + update.shape[axis]
    guard length <= capacity else {
      throw .invalid("the cache holds \(capacity) positions, \(length) are needed")
    }
    var gap = cache
    gap.base += cache.shape[axis] * cache.strides[axis] * cache.element.byteCount
    gap.shape[axis] = update.shape[axis]
    StridedCopy.run(from: update, to: gap)
    var result = cache
    result.shape[axis] = length
    call.alias(0, result)
  }
}
