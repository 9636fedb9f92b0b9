import Tensors

/// The rows of one attention call; blocks of rows may run concurrently.
///
/// For each query row: (1) scores of the allowed keys, (2) their maximum, (3) exponentials and their sum,
/// (4) the weighted sum of values, key by key.
struct AttentionRows<T: AttentionScalar>: Sendable {
  let q: TensorView, k: TensorView, v: TensorView, y: TensorView
  let mask: AttentionMask
  let scores: TensorView?
  let scoresMode: Int
  let scale: T
  let softcap: T
  let isCausal: Bool
  let left: Int
  let right: Int

  /// Rows that one task computes.
  static var blockSize: Int { 16 }

  /// Numbers that one task needs: a scaled query and the scores of all keys, in whole cache lines.
  static func scratchCount(size: Int, keys: Int) -> Int { (size + keys + 31) / 16 * 16 }

  func run(batch: Int, head: Int, block: Int, offset: Int, validKeys: Int, scratch: UnsafeMutablePointer<T>) {
    let first = block * Self.blockSize
    for row in first..<min(first + Self.blockSize, q.shape[2]) {
      self.row(batch, head, row, position: offset + row, validKeys, scratch)
    }
  }

  private func row(
    _ batch: Int, _ head: Int, _ row: Int, position: Int, _ validKeys: Int, _ scratch: UnsafeMutablePointer<T>
  ) {
    let (size, keys, group) = (q.shape[3], k.shape[2], head / (q.shape[1] / k.shape[1]))
    let (query, weights) = (scratch, scratch + size)
    let from = pointer(q, batch, head, row)
    for index in 0..<size { query[index] = from[index] * scale }
    var (low, high) = (0, min(keys, validKeys, mask.count))
    if isCausal { high = min(high, position + 1) }
    if right >= 0 { high = min(high, position &+ right + 1) }
    if left >= 0 { low = max(low, position - left) }
    high = max(high, 0)
    low = min(low, high)
    let computed = scores == nil ? low..<high : 0..<keys
    let keyBase = pointer(k, batch, group, 0)
    T.score(query, size, keyBase, stride: k.strides[2], computed, weights)
    if let scores, scoresMode == 0 { pointer(scores, batch, head, row).update(from: weights, count: keys) }
    if softcap != 0 {
      for key in computed { weights[key] = softcap * T.hyperbolicTangent(weights[key] / softcap) }
    }
    if let scores, scoresMode == 1 { pointer(scores, batch, head, row).update(from: weights, count: keys) }
    addMask(weights, batch, head, row, low..<high)
    if scores != nil {
      for key in 0..<low { weights[key] = -.infinity }
      for key in high..<max(high, keys) { weights[key] = -.infinity }
    }
    if let scores, scoresMode == 2 { pointer(scores, batch, head, row).update(from: weights, count: keys) }
    T.normalize(weights, low..<high)
    if let scores, scoresMode == 3 {
      let to = pointer(scores, batch, head, row)
      for key in 0..<keys { to[key] = low <= key && key < high ? weights[key] : 0 }
    }
    T.sum(
      weights, pointer(v, batch, group, 0), stride: v.strides[2], low..<high, pointer(y, batch, head, row),
      v.shape[3])
  }

  /// Adds the mask; keys that it forbids become minus infinity whatever their score.
  private func addMask(
    _ weights: UnsafeMutablePointer<T>, _ batch: Int, _ head: Int, _ row: Int, _ keys: Range<Int>
  ) {
    guard let view = mask.view else { return }
    let start = batch * view.strides[0] + head * view.strides[1] + row * view.strides[2]
    let step = view.strides[3]
    if mask.isBoolean {
      let allowed = view.base.assumingMemoryBound(to: UInt8.self) + start
      for key in keys where allowed[key * step] == 0 { weights[key] = -.infinity }
    } else {
      let bias = view.base.assumingMemoryBound(to: T.self) + start
      for key in keys {
        let value = bias[key * step]
        weights[key] = value == -.infinity ? value : weights[key] + value
      }
    }
  }

  @inline(__always)
  private func pointer(_ x: TensorView, _ batch: Int, _ head: Int, _ row: Int) -> UnsafeMutablePointer<T> {
    x.base.assumingMemoryBound(to: T.self)
      + (batch * x.strides[0] + head * x.strides[1] + row * x.strides[2])
  }
}
