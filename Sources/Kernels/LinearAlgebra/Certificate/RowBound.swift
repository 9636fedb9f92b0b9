import CKernels
import Tensors

/// Upper bounds of products with all rows of a matrix - logits of a head, what decides about neurons - from a copy of the
/// rows in a smaller format.
///
/// Let w be a row and w^ its copy, x a hidden state and x^ what it is rounded to for products
/// with blocks. With an invertible matrix T, S about its inverse transposed, by Cauchy and Schwarz
///
///     w^ x^ + (w - w^) x^ + w (x - x^)
///       <= w^ x^ + |S (w - w^)| |T x^| + |I - T^T S| |w - w^| |x^| + |w| |x - x^|
///
/// The last term is absent for rows in blocks, whose products come from x^, too. T is the identity without a
/// metric. Sums of K products in f32 are off by at most g = 1.1 (K + 32) 2^-24 times the sum of their
/// magnitudes, in any order. So with
///
///     error[v] = |S (w - w^)|                                                     rounded up
///     slack[0] = max over v of g m(w) + g m(w^) + |I - T^T S| |w - w^| + g |T| error[v]
///     slack[1] = max over v of (1 + g) |w|
///
/// where m is a norm of all that the products add (``RowBoundTensors``), the f32 number that `lm_head` or
/// `feed_forward` computes before the bias is at most
///
///     score[v] + error[v] |T x^| + slack[0] |x^| + slack[1] |x - x^|              score: the product w^ x^ in f32
///
/// Adding the bias rounds monotonously. Capping does up to the accuracy of tanh, for which the threshold
/// gives way.
struct RowBound {
  let copies: WeightMatrix
  let errors: UnsafePointer<Float>
  /// Two numbers.
  let slack: UnsafePointer<Float>
  /// T, [K, K]; nil for the identity.
  let metric: UnsafePointer<Float>?
  let bias: UnsafePointer<Float>?
  let softcap: Float
  /// Whether logits come from the hidden states as they are rounded.
  let isExactForQuantized: Bool

  typealias Lanes = SIMD16<Float>

  /// What the bound needs of a hidden state.
  struct Query {
    /// |T x^|.
    let scale: Float
    /// What all rows are raised by.
    let slack: Float
    /// What a bound must reach.
    let least: Float
  }

  /// Norms are computed in double precision and rounded to f32: this factor makes them upper bounds.
  private static let upwards = 1 + 0x1p-20

  // MARK: Hidden states

  /// - Parameter thresholds: one per row.
  func queries(_ x: Activations, thresholds: UnsafePointer<Float>, _ resources: Resources)
    -> UnsafePointer<Query>
  {
    let (rows, inner) = (x.rows, x.inner)
    func scratch<T>(_ count: Int, _ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
      resources.scratch(byteCount: count * MemoryLayout<T>.stride).bindMemory(to: T.self, capacity: count)
    }
    let rounded: UnsafeMutablePointer<Float> = scratch(rows * inner)
    for row in 0..<rows { x.dequantize(row, into: rounded + row * inner) }
    var turned = rounded
    if let metric {
      turned = scratch(rows * inner)
      for first in stride(from: 0, to: rows, by: LinearProduct.blockRows) {
        LinearProduct(
          rows: min(LinearProduct.blockRows, rows - first), inner: inner, columns: inner,
          x: rounded + first * inner, w: metric, y: turned + first * inner
        ).run(resources.pool)
      }
    }
    let queries: UnsafeMutablePointer<Query> = scratch(rows)
    for row in 0..<rows {
      let number = rounded + row * inner
      let norm = Self.norm(number, inner)
      let loss = isExactForQuantized ? 0 : Self.distance(x.x + row * x.stride, number, inner)
      queries[row] = Query(
        scale: Float(metric == nil ? norm : Self.norm(turned + row * inner, inner)).nextUp,
        slack: Float((Double(slack[0]) * norm + Double(slack[1]) * loss) * Self.upwards).nextUp,
        least: least(thresholds[row]))
    }
    return UnsafePointer(queries)
  }

  /// What a computed bound must reach where the logit reaches `threshold`: sums of two numbers near it are
  /// rounded, and tanh is off by 2.5 ulp at most, in the logit and in the bound.
  private func least(_ threshold: Float) -> Float {
    let margin = Double(threshold.magnitude) * 0x1p-21 + Double(softcap.magnitude) * 0x1p-20 + 0x1p-120
    return Float(Double(threshold) - margin).nextDown
  }

  private static func norm(_ x: UnsafePointer<Float>, _ count: Int) -> Double {
    var sum = 0.0
    for index in 0..<count { sum += Double(x[index]) * Double(x[index]) }
    return sum.squareRoot() * upwards
  }

  private static func distance(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Double {
    var sum = 0.0
    for index in 0..<count {
      let difference = Double(x[index]) - Double(y[index])
      sum += difference * difference
    }
    return sum.squareRoot() * upwards
  }

  // MARK: Rows

  /// Marks the rows of `range`, which begins with a word of ``RowSets``, whose bounds reach what they must.
  ///
  /// - Parameters:
  ///   - rows: of activations, at most `CK_BLOCK_ROWS`.
  ///   - shift: [rows of activations, V], added to logits.
  ///   - room: as many numbers as there are rows times the length of the range.
  func mark(
    _ range: Range<Int>, of x: Activations, _ rows: Range<Int>, _ queries: UnsafePointer<Query>,
    shift: UnsafePointer<Float>?, _ room: UnsafeMutablePointer<Float>, _ sets: RowSets
  ) {
    guard let quantized = x.quantized else { preconditionFailure("activations are not quantized") }
    var call = ck_linear_blocks(
      rows: rows.count, inner: x.inner, n0: range.lowerBound, n1: range.upperBound,
      x: quantized + rows.lowerBound * x.quantizedStride, w: copies.base, low: copies.low, bias: nil,
      y: room - range.lowerBound, x_stride: x.quantizedStride, w_stride: copies.stride,
      y_stride: range.count, list: nil)
    VectorMath.best.linearBlocks(copies.format)(&call)
    for row in rows {
      let scores = room + (row - rows.lowerBound) * range.count
      raise(scores, range, queries[row])
      if softcap != 0 { Float.cap(scores, range.count, softcap: softcap) }
      if let shift {
        let shift = shift + row * copies.rows + range.lowerBound
        for place in 0..<range.count { scores[place] += shift[place] }
      }
      mark(scores, range, queries[row].least, row, sets)
    }
  }

  /// Turns scores into bounds.
  private func raise(_ scores: UnsafeMutablePointer<Float>, _ range: Range<Int>, _ query: Query) {
    let errors = errors + range.lowerBound
    let (scale, slack) = (query.scale, query.slack)
    for place in 0..<range.count { scores[place] = (scores[place] + slack) + errors[place] * scale }
    guard let bias else { return }
    for place in 0..<range.count { scores[place] += bias[range.lowerBound + place] }
  }

  private func mark(
    _ bounds: UnsafePointer<Float>, _ range: Range<Int>, _ least: Float, _ row: Int, _ sets: RowSets
  ) {
    let base = UnsafeRawPointer(bounds)
    for first in stride(from: 0, to: range.count, by: RowSets.wordRows) {
      var bits: UInt64 = 0
      let count = min(RowSets.wordRows, range.count - first)
      for start in stride(from: first, to: first + count, by: Lanes.scalarCount) {
        let end = min(start + Lanes.scalarCount, first + count)
        if end - start == Lanes.scalarCount {
          let lanes = base.loadUnaligned(fromByteOffset: start &* 4, as: Lanes.self)
          if all(lanes .< Lanes(repeating: least)) { continue }
        }
        for place in start..<end where !(bounds[place] < least) { bits |= 1 << UInt64(place &- first) }
      }
      sets.set(row, from: range.lowerBound + first, bits)
    }
  }
}

extension Activations {
  /// The numbers that a quantized row stands for.
  func dequantize(_ row: Int, into numbers: UnsafeMutablePointer<Float>) {
    guard let quantized else { preconditionFailure("activations are not quantized") }
    ck_dequantize_row(inner, quantized + row * quantizedStride, numbers)
  }
}
