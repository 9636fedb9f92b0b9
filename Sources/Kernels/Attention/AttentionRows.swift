import Foundation
import Tensors

/// A number type that attention computes in.
protocol AttentionScalar: BinaryFloatingPoint, SIMDScalar, BitwiseCopyable, Sendable {
  static func exponential(_ x: Self) -> Self
  static func hyperbolicTangent(_ x: Self) -> Self
}

extension Float: AttentionScalar {
  static func exponential(_ x: Float) -> Float { Foundation.exp(x) }
  static func hyperbolicTangent(_ x: Float) -> Float { Foundation.tanh(x) }
}

extension Double: AttentionScalar {
  static func exponential(_ x: Double) -> Double { Foundation.exp(x) }
  static func hyperbolicTangent(_ x: Double) -> Double { Foundation.tanh(x) }
}

extension AttentionScalar {
  /// The sum of products, in 16 fixed lanes and then the rest.
  @inline(__always)
  static func dot(_ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>, _ count: Int) -> Self {
    var (lanes0, lanes1) = (SIMD8<Self>(repeating: 0), SIMD8<Self>(repeating: 0))
    var index = 0
    while index + 16 <= count {
      let (x, y) = (UnsafeRawPointer(a + index), UnsafeRawPointer(b + index))
      lanes0 += x.loadUnaligned(as: SIMD8<Self>.self) * y.loadUnaligned(as: SIMD8<Self>.self)
      lanes1 +=
        (x + MemoryLayout<SIMD8<Self>>.stride).loadUnaligned(as: SIMD8<Self>.self)
        * (y + MemoryLayout<SIMD8<Self>>.stride).loadUnaligned(as: SIMD8<Self>.self)
      index += 16
    }
    let lanes = lanes0 + lanes1
    var sum = lanes.lowHalf.lowHalf + lanes.lowHalf.highHalf + (lanes.highHalf.lowHalf + lanes.highHalf.highHalf)
    while index < count {
      sum[0] += a[index] * b[index]
      index += 1
    }
    return sum[0] + sum[1]
  }
}

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
    for key in computed {
      var score = T.dot(query, keyBase + key * k.strides[2], size)
      if let scores, scoresMode == 0 { pointer(scores, batch, head, row)[key] = score }
      if softcap != 0 { score = softcap * T.hyperbolicTangent(score / softcap) }
      weights[key] = score
    }
    if let scores, scoresMode == 1 { pointer(scores, batch, head, row).update(from: weights, count: keys) }
    addMask(weights, batch, head, row, low..<high)
    if scores != nil {
      for key in 0..<low { weights[key] = -.infinity }
      for key in high..<max(high, keys) { weights[key] = -.infinity }
    }
    if let scores, scoresMode == 2 { pointer(scores, batch, head, row).update(from: weights, count: keys) }
    Self.normalize(weights, low..<high)
    if let scores, scoresMode == 3 {
      let to = pointer(scores, batch, head, row)
      for key in 0..<keys { to[key] = low <= key && key < high ? weights[key] : 0 }
    }
    let to = pointer(y, batch, head, row)
    let valueSize = v.shape[3]
    to.update(repeating: 0, count: valueSize)
    let valueBase = pointer(v, batch, group, 0)
    for key in low..<high where weights[key] != 0 {
      let (weight, value) = (weights[key], valueBase + key * v.strides[2])
      for index in 0..<valueSize { to[index] += weight * value[index] }
    }
  }

  /// Adds the mask; keys that it forbids become minus infinity whatever their score.
  private func addMask(_ weights: UnsafeMutablePointer<T>, _ batch: Int, _ head: Int, _ row: Int, _ keys: Range<Int>) {
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

  /// Softmax in place; all zeros when every score is minus infinity.
  private static func normalize(_ weights: UnsafeMutablePointer<T>, _ keys: Range<Int>) {
    var maximum = -T.infinity
    for key in keys { maximum = weights[key] > maximum || weights[key].isNaN ? weights[key] : maximum }
    if maximum == -.infinity {
      for key in keys { weights[key] = 0 }
      return
    }
    var sum: T = 0
    for key in keys {
      weights[key] = T.exponential(weights[key] - maximum)
      sum += weights[key]
    }
    let factor = 1 / sum
    for key in keys { weights[key] *= factor }
  }

  @inline(__always)
  private func pointer(_ x: TensorView, _ batch: Int, _ head: Int, _ row: Int) -> UnsafeMutablePointer<T> {
    x.base.assumingMemoryBound(to: T.self)
      + (batch * x.strides[0] + head * x.strides[1] + row * x.strides[2])
  }
}
