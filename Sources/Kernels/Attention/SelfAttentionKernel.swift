import Tensors

/// Attention of a decoder layer over its cache, from the packed projections of its input.
///
///     q, k, v = columns of qkv `[B, S, (H + 2 G) d]`: H heads of queries, then G of keys, then G of values
///     q, k    = rms_norm per head where scales are given, then rotated where cos and sin are
///     y       = softmax(softcap(scale q . k) + slopes[h] j over allowed keys j) . v
///
/// Operands: qkv, past_key, past_value, query_scale, key_scale, cos, sin, position_ids, key_mask, slopes;
/// results: y `[B, S, H d]` and the caches with the new rows, in the memory of the past ones, which must have
/// room. Without past the caches are memory of their own. Caches are f32 or f16 (``CacheEntry``), all else is
/// f32.
///
/// 1. The keys and values of the new rows are written to the caches.
/// 2. Tiles of queries that share keys are computed (see ``AttentionRows``), queries prepared on the way.
///
/// A row has the same bits whatever the number of rows or threads.
struct SelfAttentionKernel: Kernel {
  let heads: Int
  let groups: Int
  let scale: Float?
  let softcap: Float
  let window: Int
  let isCausal: Bool
  let isInterleaved: Bool
  let epsilon: Float

  static let entry = KernelEntry(
    "self_attention",
    sharing: .updates { _ in
      [CacheUpdate(operand: 1, result: 1, axis: 2), CacheUpdate(operand: 2, result: 2, axis: 2)]
    }
  ) { attributes throws(KernelError) in try SelfAttentionKernel(attributes) }

  init(_ attributes: Attributes) throws(KernelError) {
    heads = attributes.int("num_heads", default: 0)
    groups = attributes.int("kv_num_heads", default: 0)
    guard heads > 0, groups > 0, heads % groups == 0 else {
      throw .invalid("\(heads) query heads cannot share \(groups) key heads")
    }
    scale = attributes.float("scale")
    softcap = attributes.float("softcap", default: 0)
    window = attributes.int("window", default: 0)
    isCausal = attributes.bool("is_causal", default: true)
    guard window >= 0, window == 0 || isCausal else {
      throw .invalid("'window' is \(window), accepted are 0, and numbers of keys when causal")
    }
    isInterleaved = attributes.bool("interleaved", default: false)
    epsilon = attributes.float("epsilon", default: 1e-6)
  }

  func run(_ call: KernelCall) throws(KernelError) {
    // All but the caches, the position ids and the mask.
    for operand in 0..<10 where !(1...2).contains(operand) && !(7...8).contains(operand) {
      guard let element = call.optional(operand)?.element, element != .f32 else { continue }
      throw .element(element, of: "operand \(operand)", accepted: "f32")
    }
    switch call.optional(1)?.element ?? .f32 {
    case .f32: try run(call, Float.self)
    case .f16: try run(call, Float16.self)
    case let element: throw .element(element, of: "past_key", accepted: "f32 and f16")
    }
  }

  private func run<Entry: CacheEntry>(_ call: KernelCall, _ entry: Entry.Type) throws(KernelError) {
    let qkv = call.contiguous(0)
    let parts = heads + 2 * groups
    guard qkv.rank == 3, qkv.shape[2] % parts == 0, qkv.shape[2] > 0 else {
      throw .invalid("qkv is \(qkv.shape.array), accepted is [B, S, \(parts) * d]")
    }
    let (batch, rows, size) = (qkv.shape[0], qkv.shape[1], qkv.shape[2] / parts)
    guard call.has(1) == call.has(2) else { throw .invalid("past_key and past_value must be given together") }
    let past = call.has(1) && call[1].rank == 4 ? call[1].shape[2] : 0
    let keys = past + rows
    let (query, key) = try preparations(call, batch: batch, rows: rows, past: past, size)
    let slopes = try call.optionalRow(9, count: heads)
    let cacheShape = Extents(batch, groups, keys, size)
    let k = try cache(call, 1, Entry.element, cacheShape, rows: rows)
    let v = try cache(call, 2, Entry.element, cacheShape, rows: rows)
    let mask = try keyMask(call, Extents(batch, heads, rows, keys), capacity: k.keyCapacity)
    let y = call.allocate(0, .f32, Extents(batch, rows, heads * size))
    append(entry, qkv, key, k, v, from: past, call.resources)
    AttentionRows<_, Entry>(
      queries: PackedQueries(
        qkv: qkv, size: size, preparation: query, scale: scale ?? 1 / Float(size).squareRoot()),
      tiling: AttentionTiling(batch: batch, groups: groups, headsPerGroup: heads / groups, rows: rows),
      k: k, v: v,
      y: TensorView(
        y.base, .f32, Extents(batch, heads, rows, size),
        strides: Extents(rows * heads * size, size, heads * size, 1)),
      places: AttentionPlaces(offset: past, isCausal: isCausal, left: window - 1),
      softcap: softcap, slopes: slopes, mask: mask
    ).run(call.resources)
  }

  // MARK: Operands

  /// What happens to heads of queries and of keys before they meet.
  private func preparations(_ call: KernelCall, batch: Int, rows: Int, past: Int, _ size: Int)
    throws(KernelError) -> (query: HeadPreparation, key: HeadPreparation)
  {
    let rotation = try HeadRotation(
      call, batch: batch, rows: rows, past: past, size: size, isInterleaved: isInterleaved)
    func preparation(_ operand: Int) throws(KernelError) -> HeadPreparation {
      HeadPreparation(
        size: size, scale: try call.optionalRow(operand, count: size), epsilon: epsilon, rotation: rotation)
    }
    return (try preparation(3), try preparation(4))
  }

  /// The mask of keys, one for all heads and rows of a batch entry.
  ///
  /// - Parameter capacity: keys that fit in the cache; memory is taken for so many, once for all runs.
  private func keyMask(_ call: KernelCall, _ scores: Extents, capacity: Int)
    throws(KernelError) -> AttentionMask
  {
    let (batch, keys) = (scores[0], scores[3])
    guard call.has(8) else { return try AttentionMask(nil, as: scores, element: .f32) }
    guard call[8].rank == 2, call[8].shape[0] == batch, call[8].shape[1] == keys else {
      throw .invalid(
        "the key mask is \(call[8].shape.array), accepted is [\(batch), \(keys)]: past and new keys")
    }
    var mask = call.contiguous(8)
    if mask.element != .bool {
      let allowed = call.resources.scratch(byteCount: batch * capacity)
        .bindMemory(to: UInt8.self, capacity: batch * keys)
      switch mask.element {
      case .i64:
        for index in 0..<batch * keys { allowed[index] = mask.pointer(Int64.self)[index] != 0 ? 1 : 0 }
      case .i32:
        for index in 0..<batch * keys { allowed[index] = mask.pointer(Int32.self)[index] != 0 ? 1 : 0 }
      default: throw .element(mask.element, of: "key_mask", accepted: "bool, i64 and i32")
      }
      mask = TensorView(allowed, .bool, mask.shape)
    }
    let view = TensorView(mask.base, .bool, Extents(batch, 1, 1, keys))
    return try AttentionMask(view, as: scores, element: .f32)
  }

  /// A cache with room for the new rows as part of it: the past one made longer, or a new one.
  private func cache(_ call: KernelCall, _ operand: Int, _ element: ElementType, _ shape: Extents, rows: Int)
    throws(KernelError) -> TensorView
  {
    guard call.has(operand) else { return call.allocate(operand, element, shape) }
    var expected = shape
    expected[2] -= rows
    guard call[operand].shape == expected, call[operand].element == element else {
      throw .invalid(
        "the past is \(call[operand].element)\(call[operand].shape.array),"
          + " accepted is \(element)\(expected.array)")
    }
    guard call[operand].strides[3] == 1 else {
      throw .invalid("the heads of the past lie apart in memory, accepted are dense ones")
    }
    let longer = try call[operand].extended(2, by: rows)
    call.alias(operand, longer)
    return longer
  }

  // MARK: New keys and values

  /// Numbers that one thread writes before another one is worth its dispatch.
  private static let pieceCount = 16 << 10

  private func append<Entry: CacheEntry>(
    _ entry: Entry.Type, _ qkv: TensorView, _ key: HeadPreparation, _ k: TensorView, _ v: TensorView,
    from past: Int, _ resources: Resources
  ) {
    let (rows, size, width) = (qkv.shape[1], key.size, qkv.shape[2])
    let count = qkv.shape[0] * rows
    let piece = max(1, Self.pieceCount / (2 * groups * size))
    let pieces = (count + piece - 1) / piece
    let heads = resources.scratch(byteCount: pieces * size * MemoryLayout<Float>.stride)
      .bindMemory(to: Float.self, capacity: pieces * size)
    resources.pool.forEach(pieces) { index in
      let head = heads + index * size
      for place in index * piece..<min(count, (index + 1) * piece) {
        let (batch, row) = (place / rows, place % rows)
        let newKeys = qkv.pointer(Float.self) + (place * width + self.heads * size)
        let newValues = newKeys + groups * size
        for group in 0..<groups {
          key.write(newKeys + group * size, batch: batch, row: row, to: head)
          Entry.write(head, count: size, to: k.row(batch, group, past + row))
          Entry.write(newValues + group * size, count: size, to: v.row(batch, group, past + row))
        }
      }
    }
  }
}

/// The query columns of qkv, prepared.
private struct PackedQueries: AttentionQueries {
  let qkv: TensorView
  let size: Int
  let preparation: HeadPreparation
  let scale: Float

  func write(batch: Int, head: Int, row: Int, to query: UnsafeMutablePointer<Float>) {
    let from = qkv.pointer(Float.self) + ((batch * qkv.shape[1] + row) * qkv.shape[2] + head * size)
    preparation.write(from, batch: batch, row: row, to: query)
    for index in 0..<size { query[index] *= scale }
  }
}
